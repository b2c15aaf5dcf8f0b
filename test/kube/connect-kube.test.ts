import { gzipSync } from 'node:zlib';
import { type ConnectOptions, connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi, ResourceType } from '../../lib/cluster/kube-api.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { type Answer, json, type ScriptedServer, scriptedServer, status } from './scripted-server.ts';

const CONFIG_MAP: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  resource: 'configmaps',
  namespaced: true,
  verbs: ['get', 'list', 'patch', 'delete'],
};
const SECRET: ResourceType = { ...CONFIG_MAP, kind: 'Secret', resource: 'secrets' };
const REF = { type: CONFIG_MAP, namespace: 'web', name: 'settings' };
const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'web' } };
const APPLY = { fieldManager: 'holdfast:t', force: false };

function live(name = 'settings'): unknown {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'web', uid: `uid-${name}`, resourceVersion: '7' },
  };
}

describe('the Kubernetes client', () => {
  let server: ScriptedServer | undefined;
  let kube: KubeApi | undefined;

  afterEach(async () => {
    await kube?.close();
    await server?.close();
  });

  async function against(answer: Answer, options: Partial<ConnectOptions> = {}): Promise<KubeApi> {
    server = await scriptedServer(answer);
    kube = connectKube({
      name: 'prod' as ClusterName,
      endpoint: server.endpoint,
      credential: { token: 'top-secret-token' },
      sleep: () => Promise.resolve(),
      ...options,
    });
    return kube;
  }

  async function failure(promise: Promise<unknown>): Promise<KubeError> {
    try {
      await promise;
    } catch (error) {
      if (error instanceof KubeError) {
        return error;
      }
      throw error;
    }
    throw new Error('it did not fail');
  }

  describe('requests', () => {
    it('sends a server-side apply with its manager, and the object as it is', async () => {
      const api = await against((_, response) => json(response, 201, live()));

      const applied = await api.apply(REF, OBJECT, APPLY);

      expect(applied.metadata.uid).toBe('uid-settings');
      expect(server?.seen[0]).toMatchObject({
        method: 'PATCH',
        path: '/api/v1/namespaces/web/configmaps/settings?fieldManager=holdfast%3At&force=false',
        headers: { authorization: 'Bearer top-secret-token', 'content-type': 'application/apply-patch+yaml' },
      });
      expect(JSON.parse(server?.seen[0]?.body ?? '')).toEqual(OBJECT);
    });

    it('sends a delete with both preconditions', async () => {
      const api = await against((_, response) => json(response, 200, { kind: 'Status', status: 'Success' }));

      const outcome = await api.delete(REF, { uid: 'u', resourceVersion: '7' });

      expect(outcome).toBe('gone');
      expect(JSON.parse(server?.seen[0]?.body ?? '')).toMatchObject({
        propagationPolicy: 'Background',
        preconditions: { uid: 'u', resourceVersion: '7' },
      });
    });

    it('says that a deleted object with finalizers is terminating', async () => {
      const api = await against((_, response) =>
        json(response, 200, { kind: 'ConfigMap', metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      );

      expect(await api.delete(REF, { uid: 'u', resourceVersion: '7' })).toBe('terminating');
    });

    it('keeps the path prefix of an endpoint behind a proxy', async () => {
      server = await scriptedServer((_, response) => json(response, 200, live()));
      kube = connectKube({
        name: 'prod' as ClusterName,
        endpoint: `${server.endpoint}/k8s/clusters/c-1/`,
        credential: { token: 't' },
      });

      await kube.get(REF);

      expect(server.seen[0]?.path).toBe('/k8s/clusters/c-1/api/v1/namespaces/web/configmaps/settings');
    });

    it.each(['..', '.', 'a/../../secrets', ''])('refuses %j as a name', async (name) => {
      const api = await against((_, response) => json(response, 200, live()));

      const error = await failure(api.get({ ...REF, name }));

      expect(error.code).toBe('kube-invalid');
      expect(server?.seen).toEqual([]);
    });

    it('refuses plain http beyond loopback, and credentials in the endpoint', () => {
      const open = (endpoint: string) => () =>
        connectKube({ name: 'prod' as ClusterName, endpoint, credential: { token: 't' } });

      expect(open('http://10.0.0.1:8080')).toThrow(/loopback only/);
      expect(open('https://user:pw@host')).toThrow(/user information/);
      expect(open('ftp://host')).toThrow(/scheme/);
      expect(open('nonsense')).toThrow(/not a URL/);
    });

    it('decodes gzip', async () => {
      const api = await against((_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(gzipSync(JSON.stringify(live())));
      });

      expect((await api.get(REF))?.metadata.name).toBe('settings');
    });

    it('refuses an answer that inflates without end', async () => {
      const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024));
      const api = await against((_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(bomb);
      });

      const error = await failure(api.get(REF));

      expect(error.message).toMatch(/larger than/);
      expect(error.retryable).toBe(false);
    });
  });

  describe('errors', () => {
    it('tells a missing object from a missing type', async () => {
      const api = await against((request, response) =>
        request.path.includes('settings')
          ? json(response, 404, status(404, 'NotFound', 'x', { name: 'settings', kind: 'configmaps' }))
          : response.writeHead(404).end('404 page not found\n'),
      );

      expect(await api.get(REF)).toBeUndefined();
      expect(await api.getMetadata(REF)).toBeUndefined();
      expect(await api.delete(REF, { uid: 'u', resourceVersion: '7' })).toBeUndefined();
      expect((await failure(api.get({ ...REF, name: 'other' }))).code).toBe('kube-not-found');
    });

    it.each([
      [401, 'Unauthorized', 'kube-unauthorized', false],
      [403, 'Forbidden', 'kube-forbidden', false],
      [400, 'BadRequest', 'kube-invalid', false],
      [422, 'Invalid', 'kube-invalid', false],
      [409, 'Conflict', 'kube-conflict', true],
      [500, 'InternalError', 'kube-error', true],
      [503, 'ServiceUnavailable', 'kube-error', true],
    ] as const)('maps %i %s to %s', async (code, reason, expected, retryable) => {
      const api = await against((_, response) => json(response, code, status(code, reason, 'because')));

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(error).toMatchObject({ code: expected, retryable, status: code, reason });
      expect(error.message).toMatch(/apply ConfigMap web\/settings on cluster "prod": HTTP \d+ \w+: because/);
      expect(server?.seen).toHaveLength(1);
    });

    it.each([
      'failed to create typed patch object: .spec: field not declared in schema',
      'failed to create typed patch object: .spec.ports: element 0: associative list with keys has an element that omits key field "protocol"',
    ])('takes a 500 for final that says: %s', async (message) => {
      const api = await against((_, response) => json(response, 500, { kind: 'Status', code: 500, message }));

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(error).toMatchObject({ code: 'kube-invalid', retryable: false });
    });

    it('takes a refused write into a terminating namespace for a passing trouble', async () => {
      const api = await against((_, response) =>
        json(
          response,
          403,
          status(403, 'Forbidden', 'unable to create new content', {
            causes: [{ reason: 'NamespaceTerminating', message: 'x', field: 'metadata.namespace' }],
          }),
        ),
      );

      expect(await failure(api.apply(REF, OBJECT, APPLY))).toMatchObject({
        code: 'kube-forbidden',
        retryable: true,
      });
    });

    it('takes a uid that does not match for a conflict', async () => {
      const api = await against((_, response) =>
        json(
          response,
          422,
          status(422, 'Invalid', 'field is immutable', {
            causes: [{ reason: 'FieldValueInvalid', message: 'field is immutable', field: 'metadata.uid' }],
          }),
        ),
      );

      expect((await failure(api.apply(REF, OBJECT, APPLY))).code).toBe('kube-conflict');
    });

    it('reads the managers out of conflicts, however they are named', async () => {
      const causes = [
        ['conflict with "holdfast:abc": .data.a', '.data.a'],
        ['conflict with "kubectl edit" using v1', '.data.b'],
        [
          'conflict with "kube \\"quoted\\"" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z',
          '.c',
        ],
        ['something else', '.d'],
      ].map(([message, field]) => ({ reason: 'FieldManagerConflict', message, field }));
      const api = await against((_, response) =>
        json(response, 409, status(409, 'Conflict', 'Apply failed with 4 conflicts', { causes })),
      );

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(error.conflicts).toEqual([
        { manager: 'holdfast:abc', field: '.data.a' },
        { manager: 'kubectl edit', field: '.data.b' },
        { manager: 'kube "quoted"', field: '.c' },
        { manager: 'unknown', field: '.d' },
      ]);
    });

    it('keeps only reasons and field paths of an error about a Secret', async () => {
      const api = await against((_, response) =>
        json(
          response,
          422,
          status(422, 'Invalid', 'Secret "s" is invalid: data[key]: Invalid value: "hunter2"', {
            name: 's',
            kind: 'Secret',
            causes: [
              { reason: 'FieldValueInvalid', message: 'Invalid value: "hunter2"', field: 'data[key]' },
              {
                reason: 'FieldValueInvalid',
                message: 'Invalid value: "hunter2": field is immutable',
                field: 'type',
              },
            ],
          }),
        ),
      );

      const error = await failure(api.apply({ ...REF, type: SECRET }, OBJECT, APPLY));

      expect(error.message).toContain('data[key]: FieldValueInvalid');
      expect(error.message).toContain('type: field is immutable');
      expect(JSON.stringify([error.message, error.details, error.cause])).not.toContain('hunter2');
    });

    it('never repeats a body that is no Status, nor the token', async () => {
      const api = await against((request, response) =>
        request.path.includes('other')
          ? json(response, 400, status(400, 'BadRequest', `you sent ${request.headers.authorization}`))
          : response.writeHead(502).end('<html>password=hunter2</html>'),
      );

      const proxy = await failure(api.get(REF));
      const echo = await failure(api.get({ ...REF, name: 'other' }));

      expect(proxy.message).not.toContain('hunter2');
      expect(echo.message).toContain('you sent Bearer [credential]');
    });

    it('says that an answer is not Kubernetes', async () => {
      const api = await against((_, response) => response.writeHead(200).end('<html>secret</html>'));

      const error = await failure(api.get(REF));

      expect(error.message).toContain('is this a Kubernetes API server?');
      expect(error.message).not.toContain('secret');
    });

    it('says that nobody answers', async () => {
      const api = await against(() => {});
      const { endpoint } = server as ScriptedServer;
      await (server as ScriptedServer).close();

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(endpoint).toContain('127.0.0.1');
      expect(error).toMatchObject({ code: 'kube-unreachable', retryable: true });
      expect(error.message).toContain('ECONNREFUSED');
    });
  });

  describe('time', () => {
    it('gives up on a request that is not answered', async () => {
      const api = await against(() => {}, { requestTimeoutMs: 30 });

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(error).toMatchObject({ code: 'kube-unreachable', retryable: true });
      expect(error.message).toContain('no complete answer within 30 ms');
    });

    it('gives up on a body that trickles', async () => {
      const api = await against(
        (_, response) => {
          response.writeHead(200);
          response.write('{');
        },
        { requestTimeoutMs: 30 },
      );

      expect((await failure(api.get(REF))).code).toBe('kube-unreachable');
    });

    it('aborts at the deadline', async () => {
      const api = await against(() => {});

      const error = await failure(api.get(REF, { deadline: performance.now() + 30 }));

      expect(error.code).toBe('kube-unreachable');
      expect(server?.seen).toHaveLength(1);
    });

    it('sends nothing after the deadline', async () => {
      const api = await against((_, response) => json(response, 200, live()));

      const error = await failure(api.get(REF, { deadline: performance.now() - 1 }));

      expect(error.message).toContain('the deadline has passed');
      expect(server?.seen).toEqual([]);
      expect(api.requestCounts['get']).toBe(0);
    });
  });

  describe('retries', () => {
    it('waits as long as a throttling server asks, for a write too', async () => {
      const waits: number[] = [];
      const api = await against(
        (_, response) =>
          (server?.seen.length ?? 0) < 3
            ? json(response, 429, status(429, 'TooManyRequests', 'slow down'), { 'retry-after': '2' })
            : json(response, 200, live()),
        {
          sleep: (ms) => {
            waits.push(ms);
            return Promise.resolve();
          },
        },
      );

      await api.apply(REF, OBJECT, APPLY);

      expect(waits).toEqual([2_000, 2_000]);
      expect(api.requestCounts['apply']).toBe(3);
    });

    it('gives up on a server that throttles for ever', async () => {
      const api = await against((_, response) => json(response, 429, {}, { 'retry-after': '1' }));

      const error = await failure(api.apply(REF, OBJECT, APPLY));

      expect(error).toMatchObject({ code: 'kube-error', retryable: true, status: 429 });
      expect(server?.seen).toHaveLength(5);
    });

    it('does not wait over the deadline', async () => {
      const api = await against((_, response) => json(response, 429, {}, { 'retry-after': '9' }));

      const error = await failure(api.get(REF, { deadline: performance.now() + 5_000 }));

      expect(error.status).toBe(429);
      expect(server?.seen).toHaveLength(1);
    });

    it('repeats a read whose connection broke, and no write', async () => {
      const api = await against((request, response) =>
        request.method === 'GET' && (server?.seen.length ?? 0) > 1
          ? json(response, 200, live())
          : response.destroy(),
      );

      const read = await api.get(REF);
      const reads = server?.seen.length;
      const write = await failure(api.apply(REF, OBJECT, APPLY));

      expect(read?.metadata.name).toBe('settings');
      expect(reads).toBe(2);
      expect(write).toMatchObject({ code: 'kube-unreachable', retryable: true });
      expect(server?.seen).toHaveLength(3);
    });

    it('fetches a refused credential afresh, once for all requests', async () => {
      let renewals = 0;
      const api = await against(
        (request, response) =>
          request.headers.authorization === 'Bearer new'
            ? json(response, 200, live())
            : json(response, 401, status(401, 'Unauthorized', 'Unauthorized')),
        {
          renewCredential: () => {
            renewals += 1;
            return Promise.resolve({ token: 'new' });
          },
        },
      );

      const found = await Promise.all([api.get(REF), api.get(REF), api.apply(REF, OBJECT, APPLY)]);

      expect(found.map((each) => each?.metadata.name)).toEqual(['settings', 'settings', 'settings']);
      expect(renewals).toBe(1);
    });

    it('rejects when the fresh credential is refused as well', async () => {
      let renewals = 0;
      const api = await against(
        (_, response) => json(response, 401, status(401, 'Unauthorized', 'Unauthorized')),
        {
          renewCredential: () => {
            renewals += 1;
            return Promise.resolve({ token: 'top-secret-token' });
          },
        },
      );

      const first = await failure(api.get(REF));
      const second = await failure(api.get(REF));

      expect([first.code, second.code]).toEqual(['kube-unauthorized', 'kube-unauthorized']);
      expect(renewals).toBe(1);
    });
  });

  describe('lists', () => {
    const page = (names: readonly string[], next = ''): unknown => ({
      kind: 'PartialObjectMetadataList',
      metadata: { continue: next },
      items: names.map((name) => ({
        kind: 'PartialObjectMetadata',
        metadata: (live(name) as never)['metadata'],
      })),
    });

    it('reads all pages and gives the items their own kind', async () => {
      const api = await against((request, response) =>
        json(response, 200, request.path.includes('continue=p2') ? page(['c']) : page(['a', 'b'], 'p2')),
      );

      const items = await api.listMetadata(CONFIG_MAP, { namespace: 'web', labelSelector: 'x=y' });

      expect(items.map((item) => [item.apiVersion, item.kind, item.metadata.name])).toEqual([
        ['v1', 'ConfigMap', 'a'],
        ['v1', 'ConfigMap', 'b'],
        ['v1', 'ConfigMap', 'c'],
      ]);
      expect(server?.seen[0]?.path).toBe('/api/v1/namespaces/web/configmaps?limit=500&labelSelector=x%3Dy');
      expect(server?.seen[0]?.headers.accept).toContain('as=PartialObjectMetadataList');
      expect(api.requestCounts['list']).toBe(2);
    });

    it('starts over when the snapshot expires between two pages', async () => {
      let isExpired = true;
      const api = await against((request, response) => {
        if (!request.path.includes('continue=')) {
          return json(response, 200, page(['a'], 'p2'));
        }
        if (isExpired) {
          isExpired = false;
          return json(response, 410, status(410, 'Expired', 'too old'));
        }
        return json(response, 200, page(['b']));
      });

      const items = await api.listMetadata(CONFIG_MAP);

      expect(items.map((item) => item.metadata.name)).toEqual(['a', 'b']);
      expect(server?.seen).toHaveLength(4);
    });

    it('rejects a list that expires again', async () => {
      const api = await against((request, response) =>
        request.path.includes('continue=')
          ? json(response, 410, status(410, 'Expired', 'too old'))
          : json(response, 200, page(['a'], 'p2')),
      );

      expect(await failure(api.listMetadata(CONFIG_MAP))).toMatchObject({ status: 410, retryable: true });
    });

    it('rejects a list whose second page fails', async () => {
      const api = await against((request, response) =>
        request.path.includes('continue=')
          ? json(response, 500, status(500, 'InternalError', 'boom'))
          : json(response, 200, page(['a'], 'p2')),
      );

      expect((await failure(api.listMetadata(CONFIG_MAP))).code).toBe('kube-error');
    });

    it.each([
      ['{}'],
      ['{"metadata":{}}'],
      ['{"metadata":{},"items":[{"metadata":{}}]}'],
      ['{"metadata":{},"items":7}'],
    ])('rejects %s as a list', async (body) => {
      const api = await against((_, response) => response.writeHead(200).end(body));

      expect((await failure(api.listMetadata(CONFIG_MAP))).code).toBe('kube-error');
    });

    it('takes null for an empty list', async () => {
      const api = await against((_, response) => json(response, 200, { metadata: {}, items: null }));

      expect(await api.listMetadata(CONFIG_MAP)).toEqual([]);
    });
  });
});
