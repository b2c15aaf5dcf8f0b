import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  aCredential,
  aChart,
  allOf,
  chartSecrets,
  chartWorld,
  digestOf,
  failureOf,
  indexOf,
  type ChartWorld,
  type TestServer,
} from './chart-world.ts';

let world: ChartWorld;
let archive: Buffer;

beforeAll(async () => {
  world = await chartWorld();
  archive = await aChart();
});

afterAll(() => world.close());

const CONFIG = 'application/vnd.cncf.helm.config.v1+json';
const CONTENT = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
const BASIC = `Basic ${Buffer.from('ci:hunter2').toString('base64')}`;

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: unknown;
}

const layerOf = (blob: Buffer, parts: Partial<Layer> = {}): Layer => ({
  mediaType: CONTENT,
  digest: digestOf(blob),
  size: blob.length,
  ...parts,
});

const manifestOf = (layers: readonly Layer[], configType = CONFIG): Buffer =>
  Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: { mediaType: configType, digest: 'x', size: 2 }, layers }),
  );

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The content of a registry: one repository, `charts/podinfo`. */
function contentOf(
  charts: Readonly<Record<string, Buffer>>,
  manifests: Readonly<Record<string, Buffer>> = {},
): Answer {
  const tags = new Map(Object.entries(charts).map(([tag, blob]) => [tag, manifestOf([layerOf(blob)])]));
  for (const [tag, manifest] of Object.entries(manifests)) tags.set(tag, manifest);
  const byDigest = new Map([...tags.values()].map((manifest) => [digestOf(manifest), manifest]));
  const blobs = new Map(Object.values(charts).map((blob) => [digestOf(blob), blob]));
  return (request, response) => {
    const [, what, reference = ''] = /^\/v2\/charts\/podinfo\/(\w+)\/([^?]*)/.exec(request.url ?? '') ?? [];
    if (what === 'tags')
      return response.end(JSON.stringify({ name: 'charts/podinfo', tags: [...tags.keys()] }));
    const found =
      what === 'manifests' ? (tags.get(reference) ?? byDigest.get(reference)) : blobs.get(reference);
    if (found === undefined) return response.writeHead(404).end('{"errors":[{"code":"NOT_FOUND"}]}');
    return response.end(found);
  };
}

const of = (registry: TestServer, more = {}) => ({
  repository: `oci://${registry.host}/charts`,
  name: 'podinfo',
  ...more,
});

describe('a chart of a registry', () => {
  it('is fetched by its exact version without a list of tags', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));

    const chart = await world.aHost().fetch(of(registry, { version: '1.2.3' }));

    expect(chart).toMatchObject({
      name: 'podinfo',
      version: '1.2.3',
      digest: digestOf(archive),
      manifestDigest: digestOf(manifestOf([layerOf(archive)])),
    });
    expect(registry.asked()).toEqual([
      '/v2/charts/podinfo/manifests/1.2.3',
      `/v2/charts/podinfo/blobs/${digestOf(archive)}`,
    ]);
  });

  it('is chosen by a range among full versions', async () => {
    const newest = await aChart({ version: '1.4.0' });
    const registry = await world.serve(
      contentOf({ '1.2.3': archive, '1.4.0': newest, '1': newest, latest: newest, '2.0.0-rc.1': newest }),
    );
    const host = world.aHost();

    const chosen = [];
    for (const version of ['^1', '<1.4', undefined]) {
      chosen.push((await host.fetch(of(registry, version === undefined ? {} : { version }))).version);
    }

    expect(chosen).toEqual(['1.4.0', '1.2.3', '1.4.0']);
  });

  it('may be a build, whose plus is an underscore in its tag', async () => {
    const build = await aChart({ version: '1.2.3+build.7' });
    const registry = await world.serve(contentOf({ '1.2.3_build.7': build }));
    const host = world.aHost();

    const exact = await host.fetch(of(registry, { version: '1.2.3+build.7' }));
    const ranged = await host.fetch(of(registry, { version: '^1' }));

    expect([exact.version, ranged.version]).toEqual(['1.2.3+build.7', '1.2.3+build.7']);
  });

  it('may have tags with a v alone', async () => {
    const chart = await aChart({ version: 'v1.2.3' });
    const registry = await world.serve(contentOf({ 'v1.2.3': chart }));
    const host = world.aHost();

    const exact = await host.fetch(of(registry, { version: 'v1.2.3' }));
    const ranged = await host.fetch(of(registry, { version: '1.x' }));

    expect([exact.version, ranged.version]).toEqual(['v1.2.3', 'v1.2.3']);
  });

  it('may be asked for by a tag that is no version, and by part of a version', async () => {
    const registry = await world.serve(contentOf({ stable: archive, '1.2.3': archive }));
    const host = world.aHost();

    const byTag = await host.fetch(of(registry, { version: 'stable' }));
    const byPart = await host.fetch(of(registry, { version: '1.2' }));

    expect([byTag.version, byPart.version]).toEqual(['1.2.3', '1.2.3']);
  });

  it('may lie deeper than its registry path', async () => {
    const content = contentOf({ '1.2.3': archive });
    const registry = await world.serve(content);

    const chart = await world
      .aHost()
      .fetch({ repository: `oci://${registry.host}`, name: 'charts/podinfo', version: '1.2.3' });

    expect(chart.name).toBe('podinfo');
  });

  it('is fetched anew when its tag moved', async () => {
    const moved = await aChart({ files: { 'templates/new.yaml': 'x' } });
    let content = contentOf({ '1.2.3': archive });
    const registry = await world.serve((request, response) => content(request, response));
    const host = world.aHost();

    const first = await host.fetch(of(registry, { version: '1.2.3' }));
    content = contentOf({ '1.2.3': moved });
    const second = await host.fetch(of(registry, { version: '1.2.3' }));

    expect([first.digest, second.digest]).toEqual([digestOf(archive), digestOf(moved)]);
  });

  it('refuses a moved tag that is pinned, and names both digests', async () => {
    const moved = await aChart({ files: { 'templates/new.yaml': 'x' } });
    const registry = await world.serve(contentOf({ '1.2.3': moved }));
    const pinned = digestOf(manifestOf([layerOf(archive)]));

    const error = await failureOf(world.aHost().fetch(of(registry, { version: '1.2.3', digest: pinned })));

    expect(error).toMatchObject({ code: 'chart-refused', retryable: false });
    expect(error.message).toContain(pinned);
    expect(error.message).toContain(digestOf(manifestOf([layerOf(moved)])));
  });

  it('is pinned by the digest of its manifest, or by that of its archive', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));
    const manifest = digestOf(manifestOf([layerOf(archive)]));
    const host = world.aHost();

    const alone = await host.fetch(of(registry, { digest: manifest }));
    const withVersion = await host.fetch(of(registry, { version: '^1', digest: manifest }));
    const byArchive = await host.fetch(of(registry, { version: '1.2.3', digest: digestOf(archive) }));

    expect([alone, withVersion, byArchive].map(({ version }) => version)).toEqual([
      '1.2.3',
      '1.2.3',
      '1.2.3',
    ]);
    expect(registry.asked()).toContain(`/v2/charts/podinfo/manifests/${manifest}`);
  });

  it('is not fetched again when its archive is known', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));
    const host = world.aHost();

    for (let times = 0; times < 2; times += 1) await host.fetch(of(registry, { version: '1.2.3' }));

    expect(registry.asked().filter((url) => url?.includes('/blobs/'))).toHaveLength(1);
  });

  it('may be where the index of a repository says', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));
    for (const suffix of [':1.2.3', `@${digestOf(manifestOf([layerOf(archive)]))}`]) {
      const url = `oci://${registry.host}/charts/podinfo${suffix}`;
      const digest = digestOf(archive).slice('sha256:'.length);
      const repository = await world.serve((_, response) =>
        response.end(indexOf('podinfo', [{ version: '1.2.3', url, digest }])),
      );

      const chart = await world
        .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', repository) }) })
        .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

      expect(chart.digest).toBe(digestOf(archive));
    }
    expect(registry.requests.map(({ headers }) => headers.authorization)).not.toContain(BASIC);
  });

  it('refuses what an index names in a registry without a tag, or of another digest', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));
    const listed = [
      { version: '1.2.3', url: `oci://${registry.host}/charts/podinfo` },
      { version: '1.2.3', url: 'oci://podinfo:1.2.3' },
      { version: '1.2.3', url: `oci://${registry.host}/charts/podinfo:1.2.3`, digest: 'ab'.repeat(32) },
      { version: '1.2.3', url: 'oci://u:hunter2@registry.test/charts/podinfo:1.2.3' },
    ];
    for (const each of listed) {
      const repository = await world.serve((_, response) => response.end(indexOf('podinfo', [each])));
      const error = await failureOf(world.aHost().fetch({ repository: repository.url, name: 'podinfo' }));
      expect(error.code).toBe('chart-refused');
      expect(allOf(error)).not.toContain('hunter2');
    }
  });
});

describe('a chart that is not in the registry', () => {
  it('rejects a version that is not there, and says what exists', async () => {
    const registry = await world.serve(contentOf({ '1.2.0': archive, '1.1.0_b': archive, latest: archive }));

    for (const version of ['9.9.9', '^9', 'nightly']) {
      const error = await failureOf(world.aHost().fetch(of(registry, { version })));
      expect(error).toMatchObject({ code: 'chart-not-found', retryable: false });
      expect(error.message).toContain('1.2.0, 1.1.0+b');
    }
  });

  it('rejects a repository or a digest that is not there', async () => {
    const registry = await world.serve(contentOf({ '1.2.3': archive }));
    const empty = await world.serve((_, response) => response.writeHead(404).end());
    const digest = `sha256:${'a'.repeat(64)}`;

    for (const request of [of(registry, { digest }), of(empty), of(empty, { version: '1.2.3' })]) {
      await expect(world.aHost().fetch(request)).rejects.toMatchObject({ code: 'chart-not-found' });
    }
  });

  it('rejects a busy registry as worth another try', async () => {
    const registry = await world.serve((_, response) => response.writeHead(429).end());

    await expect(world.aHost().fetch(of(registry))).rejects.toMatchObject({
      code: 'chart-unreachable',
      retryable: true,
    });
  });
});

describe('the list of tags', () => {
  it('is read page by page', async () => {
    const content = contentOf({ '1.2.3': archive });
    const registry = await world.serve((request, response) => {
      if (!request.url?.includes('/tags/')) return content(request, response);
      const last = /last=(\d+)/.exec(request.url)?.[1];
      const page = Number(last ?? 0) + 1;
      if (page < 3) response.setHeader('link', `</v2/charts/podinfo/tags/list?n=1&last=${page}>; rel="next"`);
      return response.end(JSON.stringify({ tags: [`1.${page - 1}.${page}`, null, 7] }));
    });

    const chart = await world.aHost().fetch(of(registry, { version: '1.2.3' }));
    const error = await failureOf(world.aHost().fetch(of(registry, { version: '^2' })));

    expect(chart.version).toBe('1.2.3');
    expect(error.message).toContain('1.2.3, 1.1.2, 1.0.1');
  });

  it('is not followed for ever', async () => {
    const registry = await world.serve((_, response) => {
      response.setHeader('link', '</v2/charts/podinfo/tags/list?n=1>; rel="next"');
      response.end('{"tags":[]}');
    });

    await expect(world.aHost().fetch(of(registry))).rejects.toMatchObject({ code: 'chart-too-large' });
    expect(registry.requests).toHaveLength(100);
  });

  it.each(['https://evil.example.com/v2/tags', 'http://169.254.169.254/', 'https://['])(
    'refuses a next page at %s',
    async (next) => {
      const registry = await world.serve((_, response) => {
        response.setHeader('link', `<${next}>; rel="next"`);
        response.end('{"tags":[]}');
      });

      await expect(world.aHost().fetch(of(registry))).rejects.toMatchObject({ code: 'chart-refused' });
    },
  );
});

describe('what a registry answers', () => {
  const withManifest = (manifest: Buffer | string) =>
    world.serve(contentOf({ '1.0.0': archive }, { '1.2.3': Buffer.from(manifest) }));

  it.each<[string, string, () => Buffer | string]>([
    [
      'an image',
      'chart-refused',
      () => manifestOf([layerOf(archive)], 'application/vnd.oci.image.config.v1+json'),
    ],
    ['an index of images', 'chart-refused', () => JSON.stringify({ schemaVersion: 2, manifests: [] })],
    ['a manifest without layers', 'chart-corrupt', () => manifestOf([])],
    ['two archives', 'chart-corrupt', () => manifestOf([layerOf(archive), layerOf(archive)])],
    ['another layer', 'chart-corrupt', () => manifestOf([layerOf(archive, { mediaType: 'text/plain' })])],
    ['another digest', 'chart-corrupt', () => manifestOf([layerOf(archive, { digest: 'sha512:ab' })])],
    ['a digest that is a path', 'chart-corrupt', () => manifestOf([layerOf(archive, { digest: '../../x' })])],
    ['no size', 'chart-corrupt', () => manifestOf([layerOf(archive, { size: 'large' })])],
    ['a negative size', 'chart-corrupt', () => manifestOf([layerOf(archive, { size: -1 })])],
    ['a huge size', 'chart-too-large', () => manifestOf([layerOf(archive, { size: 1e12 })])],
    ['a size that is too small', 'chart-too-large', () => manifestOf([layerOf(archive, { size: 10 })])],
    ['a page', 'chart-corrupt', () => '<html>'],
    ['null', 'chart-refused', () => 'null'],
    ['a chart of another name', 'chart-corrupt', () => manifestOf([layerOf(archive)])],
  ])('rejects %s (%s)', async (what, code, build) => {
    const other = await aChart({ name: 'other' });
    const registry =
      what === 'a chart of another name'
        ? await world.serve(contentOf({ '1.2.3': other }))
        : await withManifest(build());

    await expect(world.aHost().fetch(of(registry, { version: '1.2.3' }))).rejects.toMatchObject({ code });
  });

  it('takes the layer of a chart among others, and the type that helm once wrote', async () => {
    const layers = [
      layerOf(archive, { mediaType: 'application/tar+gzip' }),
      layerOf(archive, { mediaType: 'x' }),
    ];
    const registry = await withManifest(manifestOf(layers));

    await expect(
      world.aHost().fetch(of(registry, { digest: digestOf(manifestOf(layers)) })),
    ).resolves.toMatchObject({ version: '1.2.3' });
  });

  it('rejects another archive under the digest, and a version that the tag does not say', async () => {
    const content = contentOf({ '1.2.3': archive });
    const swapped = await world.serve((request, response) =>
      request.url?.includes('/blobs/')
        ? response.end(Buffer.from(archive.map((byte) => byte ^ 1)))
        : content(request, response),
    );
    const renamed = await world.serve(contentOf({ '1.2.4': archive }));

    for (const [registry, version] of [
      [swapped, '1.2.3'],
      [renamed, '1.2.4'],
    ] as const) {
      await expect(world.aHost().fetch(of(registry, { version }))).rejects.toMatchObject({
        code: 'chart-corrupt',
      });
    }
  });

  it('rejects another manifest under the digest, and one that the registry calls otherwise', async () => {
    const manifest = manifestOf([layerOf(archive)]);
    const registry = await world.serve((_, response) => {
      response.setHeader('docker-content-digest', `sha256:${'b'.repeat(64)}`);
      response.end(manifest);
    });
    const swapped = await world.serve((_, response) => response.end(manifest));

    const requests = [
      of(registry, { version: '1.2.3' }),
      of(swapped, { digest: `sha256:${'c'.repeat(64)}` }),
    ];
    for (const request of requests) {
      await expect(world.aHost().fetch(request)).rejects.toMatchObject({ code: 'chart-corrupt' });
    }
  });

  it('rejects a manifest without an end', async () => {
    const registry = await world.serve((_, response) => {
      const more = () => !response.destroyed && response.write(' '.repeat(65_536), () => setImmediate(more));
      more();
    });

    await expect(world.aHost().fetch(of(registry, { version: '1.2.3' }))).rejects.toMatchObject({
      code: 'chart-too-large',
    });
  });

  it('may send blobs from another host over https, which gets no credential', async () => {
    const cdn = await world.serveTls('cdn.test', (_, response) => response.end(archive));
    const content = contentOf({ '1.2.3': archive });
    const registry = await world.serve((request, response) => {
      if (request.headers.authorization !== BASIC) {
        return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      }
      if (!request.url?.includes('/blobs/')) return content(request, response);
      return response.writeHead(307, { location: `${cdn.url}/blob?X-Amz-Signature=1` }).end();
    });

    const chart = await world
      .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', registry) }) })
      .fetch(of(registry, { version: '1.2.3', credentials: 'team' }));

    expect(chart.version).toBe('1.2.3');
    expect(cdn.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe('the tokens of a registry', () => {
  /** Gives tokens to whom it knows, and looks at them. */
  async function guarded(parts: { readonly tokenAnswer?: Answer; readonly challenge?: string } = {}) {
    const content = contentOf({ '1.2.3': archive });
    const tokens = await world.serveTls(
      'tokens.test',
      parts.tokenAnswer ?? ((_, response) => response.end('{"token":"t-0123456789","expires_in":300}')),
    );
    const challenge =
      parts.challenge ??
      `Bearer realm="${tokens.url}/token",service="registry",scope="repository:charts/podinfo:pull"`;
    const registry = await world.serve((request, response) =>
      request.headers.authorization === 'Bearer t-0123456789'
        ? content(request, response)
        : response.writeHead(401, { 'www-authenticate': challenge }).end(),
    );
    return { registry, tokens };
  }

  it('are fetched for its challenge, anonymously or with the credential, and kept', async () => {
    const { registry, tokens } = await guarded();
    const anonymous = world.aHost();
    const known = world.aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', registry) }) });

    await anonymous.fetch(of(registry, { version: '1.2.3' }));
    await anonymous.fetch(of(registry, { version: '1.2.3' }));
    await known.fetch(of(registry, { version: '1.2.3', credentials: 'team' }));

    expect(tokens.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, BASIC]);
    expect(tokens.asked()[0]).toBe('/token?service=registry&scope=repository%3Acharts%2Fpodinfo%3Apull');
    expect(registry.requests.map(({ headers }) => headers.authorization)).not.toContain(BASIC);
  });

  it('are fetched again when they are over, or no longer taken', async () => {
    let now = 0;
    let answers = 0;
    const { registry, tokens } = await guarded({
      tokenAnswer: (_, response) => {
        answers += 1;
        response.end(JSON.stringify({ access_token: answers === 3 ? 'old' : 't-0123456789' }));
      },
    });
    const host = world.aHost({ now: () => now });

    await host.fetch(of(registry, { version: '1.2.3' }));
    now += 55_000;
    await host.fetch(of(registry, { version: '1.2.3' }));
    expect(tokens.requests).toHaveLength(2);
    now += 60_000;
    await expect(host.fetch(of(registry, { version: '1.2.3' }))).rejects.toMatchObject({
      code: 'chart-authentication',
    });
    await expect(host.fetch(of(registry, { version: '1.2.3' }))).resolves.toMatchObject({ version: '1.2.3' });
  });

  it.each([
    ['http://169.254.169.254/token', 'chart-refused'],
    ['https://169.254.169.254/token', 'chart-refused'],
    ['http://tokens.example.com/token', 'chart-refused'],
    ['https://u:p@tokens.example.com/token', 'chart-refused'],
    ['file:///etc/passwd', 'chart-refused'],
    ['token', 'chart-corrupt'],
  ])('refuses to fetch them from %s', async (realm, code) => {
    const { registry } = await guarded({ challenge: `Bearer realm="${realm}",service="x"` });

    await expect(world.aHost().fetch(of(registry, { version: '1.2.3' }))).rejects.toMatchObject({ code });
  });

  it.each([
    ['{}', 'chart-corrupt'],
    ['{"token":7}', 'chart-corrupt'],
    ['{"token":"a b\\r\\nx-evil: 1"}', 'chart-corrupt'],
    ['null', 'chart-corrupt'],
    ['<html>', 'chart-corrupt'],
    ['{"token":"hunter2-wrong"}', 'chart-authentication'],
  ])('rejects the answer %s', async (body, code) => {
    const { registry } = await guarded({ tokenAnswer: (_, response) => response.end(body) });

    const error = await failureOf(world.aHost().fetch(of(registry, { version: '1.2.3' })));

    expect(error.code).toBe(code);
    expect(allOf(error)).not.toContain('hunter2');
  });

  it.each([
    [401, 'chart-authentication'],
    [403, 'chart-authentication'],
    [503, 'chart-unreachable'],
  ])('rejects the status %d of their service', async (status, code) => {
    const { registry } = await guarded({ tokenAnswer: (_, response) => response.writeHead(status).end() });
    const secrets = chartSecrets({ team: aCredential('ci:hunter2', registry) });

    const error = await failureOf(
      world.aHost({ secrets }).fetch(of(registry, { version: '1.2.3', credentials: 'team' })),
    );

    expect(error.code).toBe(code);
    expect(error.message).toContain('tokens.test');
    expect(allOf(error)).not.toMatch(/hunter2|Y2k6aHVudGVyMg/);
  });

  it.each(['', 'Negotiate', 'Bearer', 'Bearer service="x"', `Bearer realm="${'x'.repeat(5_000)}"`, 'Basic'])(
    'rejects the challenge %j that an anonymous request cannot answer',
    async (challenge) => {
      const { registry } = await guarded({ challenge });

      await expect(world.aHost().fetch(of(registry, { version: '1.2.3' }))).rejects.toMatchObject({
        code: 'chart-authentication',
      });
    },
  );

  it('takes the credential that was rotated meanwhile', async () => {
    const { registry } = await guarded({
      tokenAnswer: (request, response) =>
        request.headers.authorization === BASIC
          ? response.end('{"token":"t-0123456789"}')
          : response.writeHead(401).end(),
    });
    const secrets = chartSecrets(
      { team: aCredential('ci:hunter2', registry) },
      { team: aCredential('ci:old', registry) },
    );

    const chart = await world
      .aHost({ secrets })
      .fetch(of(registry, { version: '1.2.3', credentials: 'team' }));

    expect(chart.version).toBe('1.2.3');
  });
});

describe('Amazon ECR', () => {
  const AWS = Buffer.from('AWS:hunter2').toString('base64');
  const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

  async function ecr() {
    const content = contentOf({ '1.2.3': archive });
    const state = { accepted: AWS };
    const registry = await world.serveTls(ECR, (request, response) =>
      request.headers.authorization === `Basic ${state.accepted}`
        ? content(request, response)
        : response
            .writeHead(401, { 'www-authenticate': 'Basic realm="https://ecr",service="ecr.amazonaws.com"' })
            .end(),
    );
    return { registry, state };
  }

  it('gets a token of the region, which is kept until shortly before its end', async () => {
    const { registry } = await ecr();
    const regions: string[] = [];
    let now = Date.now();
    const host = world.aHost({
      now: () => now,
      getEcrToken: async ({ region }) => {
        regions.push(region);
        return { authorizationToken: AWS, expiresAt: new Date(now + 12 * 3_600_000) };
      },
    });

    const chart = await host.fetch(of(registry, { version: '1.2.3' }));
    now += 11 * 3_600_000;
    await host.fetch(of(registry, { version: '^1' }));
    now += 3_590_000;
    await host.fetch(of(registry, { version: '1.2.3' }));

    expect(chart.version).toBe('1.2.3');
    expect(regions).toEqual(['eu-central-1', 'eu-central-1']);
  });

  it('gets another one when that is refused', async () => {
    const { registry, state } = await ecr();
    const given = [Buffer.from('AWS:old').toString('base64'), state.accepted];
    const host = world.aHost({
      getEcrToken: async () => ({
        authorizationToken: given.shift() ?? '',
        expiresAt: new Date(Date.now() + 12 * 3_600_000),
      }),
    });

    await expect(host.fetch(of(registry, { version: '1.2.3' }))).resolves.toMatchObject({ version: '1.2.3' });
  });

  it.each([
    ['AccessDeniedException', 'chart-authentication', false],
    ['CredentialsProviderError', 'chart-authentication', false],
    ['TimeoutError', 'chart-unreachable', true],
  ])('rejects %s of AWS as %s', async (name, code, retryable) => {
    const { registry } = await ecr();
    const host = world.aHost({
      getEcrToken: () => Promise.reject(Object.assign(new Error('hunter2'), { name })),
    });

    const error = await failureOf(host.fetch(of(registry, { version: '1.2.3' })));

    expect(error).toMatchObject({ code, retryable });
    expect(error.message).not.toContain('hunter2');
  });

  it.each([
    '123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.test',
    'x123456789012.dkr.ecr.eu-central-1.amazonaws.com',
    'evil.test',
    '12345.dkr.ecr.eu-central-1.amazonaws.com',
    'public.ecr.aws',
  ])('asks AWS for no token for %s', async (host) => {
    const asked: string[] = [];
    const fetched = world
      .aHost({
        allowedOrigins: [],
        getEcrToken: async ({ region }) => {
          asked.push(region);
          throw new Error('asked');
        },
      })
      .fetch({ repository: `oci://${host}/charts`, name: 'podinfo', version: '1.2.3' });

    await expect(fetched).rejects.toMatchObject({ code: 'chart-refused' });
    expect(asked).toEqual([]);
  });

  it('takes a secret instead where one is named', async () => {
    const { registry } = await ecr();
    const host = world.aHost({
      secrets: chartSecrets({ team: aCredential('AWS:hunter2', registry) }),
      getEcrToken: () => Promise.reject(new Error('asked')),
    });

    const chart = await host.fetch(of(registry, { version: '1.2.3', credentials: 'team' }));

    expect(chart.version).toBe('1.2.3');
  });
});
