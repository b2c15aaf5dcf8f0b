import path from 'node:path';
import { createChartHttp } from '../../lib/charts/chart-http.ts';
import { DEFAULT_CHART_LIMITS } from '../../lib/charts/chart-limits.ts';
import {
  aCredential,
  aChart,
  allOf,
  chartSecrets,
  chartWorld,
  failureOf,
  hexOf,
  indexOf,
  loopbackLookup,
  type ChartWorld,
} from './chart-world.ts';

let world: ChartWorld;
let archive: Buffer;
let index: string;

beforeAll(async () => {
  world = await chartWorld();
  archive = await aChart();
  index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
});

afterAll(() => world.close());

const BASIC = `Basic ${Buffer.from('ci:hunter2').toString('base64')}`;

/** A repository that gives its charts to one credential only. */
const guarded = (authorization: string) =>
  world.serve((request, response) => {
    if (request.headers.authorization !== authorization) response.writeHead(401).end();
    else response.end(request.url === '/index.yaml' ? index : archive);
  });

describe('credentials', () => {
  it.each([
    ['a user name and password', { username: 'ci', password: 'hunter2' }],
    ['a token', { username: 'ci', token: 'hunter2' }],
  ])('are %s', async (_, credential) => {
    const repository = await guarded(BASIC);
    const secrets = chartSecrets({ team: JSON.stringify({ ...credential, hosts: [repository.host] }) });

    const chart = await world
      .aHost({ secrets })
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

    expect(chart.version).toBe('1.2.3');
  });

  it('rejects a wrong one, having looked once whether it was rotated, and tells nothing of it', async () => {
    const repository = await guarded('Basic other');
    const secrets = chartSecrets({ team: aCredential('ci:hunter2', repository) });

    const error = await failureOf(
      world.aHost({ secrets }).fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' }),
    );

    expect(error).toMatchObject({ code: 'chart-authentication', retryable: false });
    expect(allOf(error)).not.toMatch(/hunter2|Y2k6aHVudGVyMg/);
    expect(secrets.reads.map(({ fresh }) => fresh)).toEqual([false, true]);
  });

  it('takes the rotated one when the one it knew is refused', async () => {
    const repository = await guarded(BASIC);
    const secrets = chartSecrets(
      { team: aCredential('ci:hunter2', repository) },
      { team: aCredential('ci:old', repository) },
    );

    const chart = await world
      .aHost({ secrets })
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

    expect(chart.version).toBe('1.2.3');
  });

  it('rejects an anonymous request where one is wanted, and says what to do', async () => {
    const repository = await guarded(BASIC);

    await expect(world.aHost().fetch({ repository: repository.url, name: 'podinfo' })).rejects.toMatchObject({
      code: 'chart-authentication',
      message: expect.stringContaining('role chart'),
    });
  });

  it('refuses to send one to a host that its secret does not list', async () => {
    const repository = await guarded(BASIC);
    const secrets = chartSecrets({ team: '{"username":"ci","password":"hunter2","hosts":["charts.test"]}' });

    const error = await failureOf(
      world.aHost({ secrets }).fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' }),
    );

    expect(error.code).toBe('chart-refused');
    expect(allOf(error)).not.toContain('hunter2');
    expect(repository.requests).toEqual([]);
  });

  it('passes on that a secret is missing', async () => {
    const repository = await guarded(BASIC);

    const fetched = world
      .aHost()
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'nowhere' });

    await expect(fetched).rejects.toMatchObject({ code: 'secret-missing' });
  });

  it.each([
    'hunter2',
    '"hunter2:x"',
    'ci:hunter2',
    '{}',
    'null',
    '{"token":"","hosts":["charts.test"]}',
    '{"username":"a:b","password":"hunter2","hosts":["charts.test"]}',
    '{"username":"a","password":"hunter2"}',
    '{"username":"a","password":"hunter2","hosts":[]}',
    '{"username":"a","password":"hunter2","hosts":"charts.test"}',
    '{"username":"a","password":"hunter2"',
  ])('rejects a secret of another shape without telling it: %s', async (value) => {
    const repository = await guarded(BASIC);

    const error = await failureOf(
      world
        .aHost({ secrets: chartSecrets({ team: value }) })
        .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' }),
    );

    expect(error.code).toBe('chart-authentication');
    expect(allOf(error)).not.toContain('hunter2');
  });

  it('go to the origin of the repository alone, not where its index leads', async () => {
    const cdn = await world.serveTls('cdn.test', (_, response) => response.end(archive));
    const listed = indexOf('podinfo', [
      { version: '1.2.3', url: `${cdn.url}/p.tgz`, digest: hexOf(archive) },
    ]);
    const repository = await world.serve((_, response) => response.end(listed));

    await world
      .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', repository) }) })
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

    expect(repository.requests.map(({ headers }) => headers.authorization)).toEqual([BASIC]);
    expect(cdn.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('rejects an archive elsewhere that wants one, and says where the credential goes', async () => {
    const cdn = await world.serveTls('cdn.test', (_, response) => response.writeHead(403).end());
    const listed = indexOf('podinfo', [{ version: '1.2.3', url: `${cdn.url}/p.tgz` }]);
    const repository = await world.serve((_, response) => response.end(listed));

    const fetched = world
      .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', repository) }) })
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

    await expect(fetched).rejects.toMatchObject({
      code: 'chart-authentication',
      message: expect.stringContaining(`${repository.origin} alone`),
    });
  });
});

describe('redirects', () => {
  it('are followed to other hosts over https, without the credential', async () => {
    const cdn = await world.serveTls('cdn.test', (request, response) =>
      response.end(request.url?.startsWith('/index.yaml') ? index : archive),
    );
    const repository = await world.serve((request, response) =>
      response.writeHead(302, { location: `${cdn.url}${request.url}?signature=1` }).end(),
    );

    const chart = await world
      .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', repository) }) })
      .fetch({ repository: repository.url, name: 'podinfo', credentials: 'team' });

    expect(chart.version).toBe('1.2.3');
    expect(repository.requests.map(({ headers }) => headers.authorization)).toEqual([BASIC, BASIC]);
    expect(cdn.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  it('are followed on the same host with the credential', async () => {
    const repository = await world.serve((request, response) => {
      if (request.url?.startsWith('/old/')) {
        response.writeHead(301, { location: request.url.replace('/old/', '/new/') }).end();
      } else if (request.headers.authorization !== BASIC) response.writeHead(401).end();
      else response.end(request.url?.endsWith('index.yaml') ? index : archive);
    });

    const chart = await world
      .aHost({ secrets: chartSecrets({ team: aCredential('ci:hunter2', repository) }) })
      .fetch({ repository: `${repository.url}/old`, name: 'podinfo', credentials: 'team' });

    expect(chart.version).toBe('1.2.3');
  });

  it.each([
    ['the metadata service', 'http://169.254.169.254/latest/meta-data/'],
    ['the metadata service over https', 'https://169.254.169.254/latest/meta-data/'],
    ['the metadata service by IPv6', 'https://[fd00:ec2::254]/'],
    ['the container credentials', 'http://169.254.170.2/v2/credentials'],
    ['the runtime interface', 'http://127.0.0.1:9001/2018-06-01/runtime/invocation/next'],
    ['a mapped address', 'https://[::ffff:169.254.169.254]/'],
    ['a number', 'https://2852039166/'],
    ['another host without https', 'http://charts.example.com/index.yaml'],
    ['a file', 'file:///proc/self/environ'],
    ['data', 'data:text/plain,apiVersion'],
    ['a URL with a password', 'https://user:hunter2@charts.example.com/'],
    ['nothing that is a URL', 'https://['],
    ['another port of this machine', 'https://127.0.0.1:1/'],
  ])('refuses one to %s', async (_, location) => {
    for (const target of ['index', 'archive']) {
      const repository = await world.serve((request, response) => {
        if (request.url === '/index.yaml' && target === 'archive') response.end(index);
        else response.writeHead(307, { location }).end();
      });

      const error = await failureOf(world.aHost().fetch({ repository: repository.url, name: 'podinfo' }));

      expect(error).toMatchObject({ code: 'chart-refused', retryable: false });
      expect(allOf(error)).not.toContain('hunter2');
    }
  });

  it('refuses to go round for ever', async () => {
    const repository = await world.serve((_, response) =>
      response.writeHead(302, { location: '/index.yaml' }).end(),
    );

    await expect(world.aHost().fetch({ repository: repository.url, name: 'podinfo' })).rejects.toMatchObject({
      code: 'chart-refused',
      message: expect.stringContaining('more than 5 times'),
    });
    expect(repository.requests).toHaveLength(6);
  });
});

describe('what may be reached', () => {
  it.each([
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
    '10.0.0.1',
    '100.64.0.1',
    '[fd00::1]',
    '[fe80::1]',
    '0.0.0.0',
  ])('refuses the literal address %s, for both kinds of repositories', async (host) => {
    for (const scheme of ['https', 'oci']) {
      const fetched = world
        .aHost({ allowedOrigins: [] })
        .fetch({ repository: `${scheme}://${host}:1/charts`, name: 'podinfo' });

      await expect(fetched).rejects.toMatchObject({
        code: 'chart-refused',
        message: expect.stringContaining('allowed origins'),
      });
    }
  });

  it.each(['https', 'oci'])(
    'refuses a name that resolves to a private address, at the address that is connected to (%s)',
    async (scheme) => {
      const server = await world.serveTls('rebinding.example.com', (_, response) => response.end(index));
      let lookups = 0;
      const host = world.aHost({
        allowedOrigins: [],
        lookup: (hostname, options, callback) => {
          lookups += 1;
          loopbackLookup(hostname, options, callback);
        },
      });

      const fetched = host.fetch({ repository: `${scheme}://${server.host}/charts`, name: 'podinfo' });

      await expect(fetched).rejects.toMatchObject({ code: 'chart-refused' });
      expect(lookups).toBe(1);
      expect(server.requests).toEqual([]);
    },
  );

  it('refuses an archive under a name that resolves to a private address', async () => {
    const internal = await world.serveTls('internal.example.com', (_, response) => response.end(archive));
    const listed = indexOf('podinfo', [{ version: '1.2.3', url: `${internal.url}/p.tgz` }]);
    const repository = await world.serve((_, response) => response.end(listed));

    const fetched = world
      .aHost({ allowedOrigins: [repository.origin] })
      .fetch({ repository: repository.url, name: 'podinfo' });

    await expect(fetched).rejects.toMatchObject({ code: 'chart-refused' });
    expect(internal.requests).toEqual([]);
  });

  it('refuses that a public repository leads to what is allowed for others', async () => {
    const internal = await world.serve((_, response) => response.end(index));
    const tls = await world.serveTls('internal.test', (_, response) => response.end(index));
    const http = createChartHttp({
      allowedOrigins: [internal.origin, tls.origin],
      trustedCertificates: [],
      resolve: loopbackLookup,
      limits: DEFAULT_CHART_LIMITS,
    });
    const talk = http.converse(new URL('https://charts.example.com'), AbortSignal.timeout(5_000));

    for (const { url } of [internal, tls]) {
      const got = talk.get(new URL(url), { maxBytes: 1_000, limit: ['it', 'x'] });
      await expect(got).rejects.toMatchObject({ code: 'chart-refused' });
    }
    await http.close();
    expect([...internal.requests, ...tls.requests]).toEqual([]);
  });

  it('refuses certificates that nobody vouches for, as worth another try', async () => {
    const server = await world.serveTls('charts.test', (_, response) => response.end(index));

    const fetched = world
      .aHost({ trustedCertificates: [] })
      .fetch({ repository: server.url, name: 'podinfo' });

    await expect(fetched).rejects.toMatchObject({ code: 'chart-unreachable' });
    expect(server.requests).toEqual([]);
  });
});

describe('requests', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  it.each([
    ['plain http', { repository: 'http://charts.example.com' }],
    ['another scheme', { repository: 'ftp://charts.example.com' }],
    ['a file', { repository: 'file:///etc' }],
    ['no URL', { repository: 'charts' }],
    ['an option', { repository: '--repo' }],
    ['a password', { repository: 'https://user:hunter2@charts.example.com' }],
    ['a password for a registry', { repository: 'oci://user:hunter2@charts.example.com' }],
    ['a token in a query', { repository: 'https://charts.example.com/?token=hunter2' }],
    ['a fragment', { repository: 'https://charts.example.com/#hunter2' }],
    ['no name', { name: '' }],
    ['a name that is a path', { name: '../podinfo' }],
    ['a name with a slash', { name: 'a/b' }],
    ['a name that is an option', { name: '--version' }],
    ['a hidden name', { name: '.podinfo' }],
    ['a name with a line end', { name: 'podinfo\n' }],
    ['an endless name', { name: 'a'.repeat(300) }],
    ['no range', { version: '>>1' }],
    ['a tag, of a repository', { version: 'latest' }],
    ['an endless range', { version: '1 '.repeat(10_000) }],
    ['a short digest', { digest: 'sha256:abc' }],
    ['another kind of digest', { digest: `sha512:${'a'.repeat(128)}` }],
    ['a digest in capitals', { digest: digest.toUpperCase() }],
    ['a path for a registry', { repository: 'oci://charts.example.com/a', name: '../../b' }],
    ['capitals for a registry', { repository: 'oci://charts.example.com/A', name: 'b' }],
    ['a query for a registry', { repository: 'oci://charts.example.com/a?x', name: 'b' }],
    ['an escaped path for a registry', { repository: 'oci://charts.example.com/%2e%2e/a', name: 'b%2fc' }],
    ['no registry', { repository: 'oci://', name: 'b' }],
    ['a tag that is none', { repository: 'oci://charts.example.com/a', version: 'la test' }],
  ])('refuses %s without a request', async (_, parts) => {
    const host = world.aHost({
      lookup: () => {
        throw new Error('looked up');
      },
    });

    const error = await failureOf(
      host.fetch({ repository: 'https://charts.example.com', name: 'podinfo', ...parts }),
    );

    expect(error).toMatchObject({ code: 'chart-refused', retryable: false });
    expect(allOf(error)).not.toContain('hunter2');
    expect(error.message.length).toBeLessThan(1_000);
  });

  it('refuses an allowed origin that is none, when the host is made', () => {
    const made = () => world.aHost({ allowedOrigins: ['charts.internal:8080'], cacheDirectory: path.sep });

    expect(made).toThrow('scheme://host:port');
  });
});
