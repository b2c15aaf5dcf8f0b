import { gzipSync } from 'node:zlib';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { type Answer, json, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const DOCUMENT = {
  definitions: {
    ConfigMap: {
      type: 'object',
      'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'ConfigMap' }],
    },
  },
};
const nothingServed = (path: string) =>
  path === '/api' ? { kind: 'APIVersions', versions: [] } : { kind: 'APIGroupList', groups: [] };

describe('the OpenAPI document of a cluster', () => {
  let server: ScriptedServer | undefined;
  let kube: KubeApi | undefined;

  afterEach(async () => {
    await kube?.close();
    await server?.close();
  });
  const against = async (answer: Answer): Promise<KubeApi> => {
    server = await scriptedServer(answer);
    kube = connectKube({
      name: 'prod' as ClusterName,
      endpoint: server.endpoint,
      credential: { token: 't' },
      sleep: () => Promise.resolve(),
    });
    return kube;
  };
  const asked = () => server?.seen.filter(({ path }) => path === '/openapi/v2').length;

  it('is read compressed, once, and again after discovery was read anew', async () => {
    const api = await against(({ path }, response) => {
      if (path !== '/openapi/v2') return json(response, 200, nothingServed(path));
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync(JSON.stringify(DOCUMENT)));
    });

    const [first, second] = await Promise.all([api.openapi(), api.openapi()]);
    await api.discovery();
    await api.discovery({ refresh: true });
    await api.openapi();

    expect(first.schemaOf('v1', 'ConfigMap')).toEqual({ type: 'object' });
    expect(second).toBe(first);
    expect(asked()).toBe(2);
  });

  it('is asked for again after a failure', async () => {
    let answers = 0;
    const api = await against((_, response) => {
      answers += 1;
      if (answers === 1) json(response, 500, {});
      else json(response, 200, DOCUMENT);
    });

    await expect(api.openapi()).rejects.toMatchObject({ code: 'kube-error' });
    await expect(api.openapi()).resolves.toBeDefined();
  });

  it.each([
    ['a cluster that has none', 404, {}, false, /no \/openapi\/v2/],
    ['what is none', 200, { openapi: '3.0' }, true, /no OpenAPI v2 document/],
  ])('rejects %s', async (_, status, body, retryable, message) => {
    const api = await against((_request, response) => json(response, status, body));

    await expect(api.openapi()).rejects.toMatchObject({
      code: 'kube-error',
      retryable,
      message: expect.stringMatching(message),
    });
  });
});
