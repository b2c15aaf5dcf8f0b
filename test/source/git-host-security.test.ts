import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { MockAgent } from 'undici';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { CommitSha } from '../../lib/model/ids.ts';
import { createGitHost, type GitHostDependencies } from '../../lib/source/git-host.ts';
import { isInternalAddress } from '../../lib/source/network-policy.ts';
import { aSource, gitSecrets, gitWorld, type GitWorld } from '../support/git-world.ts';

let world: GitWorld;
let commit: CommitSha;
const closing: (() => Promise<unknown> | unknown)[] = [];

beforeAll(async () => {
  world = await gitWorld({ withAccounts: true });
  commit = await world.commit({ 'a.yaml': 'a' });
  await world.push('main');
});

afterAll(() => world.close());

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

function aHost(overrides: Partial<GitHostDependencies> = {}) {
  const host = createGitHost({
    secrets: gitSecrets({}),
    cacheDirectory: path.join(world.directory, `cache-${Math.random()}`),
    ...overrides,
  });
  closing.push(() => host.close());
  return host;
}

/** A server that answers as told and keeps what it was asked. */
async function aServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** One packet of the Git protocol. */
function line(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

/** What a server says that has one branch, over protocol 0. */
function advertisementOf(oid: string, capabilities = 'shallow side-band-64k ofs-delta'): string {
  const head = `${oid} refs/heads/main\0${capabilities}\n`;
  return `${line('# service=git-upload-pack\n')}0000${line(head)}0000`;
}

const secret = 'git-credential';
const basic = (user: string, password: string) => JSON.stringify({ username: user, password });

describe('credentials', () => {
  it('are a user name and password, or a token', async () => {
    world.accounts['ci'] = 'right';
    world.accounts['x-access-token'] = 'ghp_token';
    const source = { ...world.source, gitSecret: secret };

    const byPassword = await aHost({ secrets: gitSecrets({ [secret]: basic('ci', 'right') }) }).listRefs(
      source,
    );
    const byToken = await aHost({ secrets: gitSecrets({ [secret]: '{"token":"ghp_token"}' }) }).listRefs(
      source,
    );

    expect(byPassword.get('refs/heads/main')).toBe(commit);
    expect(byToken.get('refs/heads/main')).toBe(commit);
  });

  it('rejects a wrong one, having looked once whether it was rotated, and tells nothing of it', async () => {
    world.accounts['ci'] = 'right';
    const secrets = gitSecrets({ [secret]: basic('ci', 'hunter2') });

    const listed = aHost({ secrets }).listRefs({ ...world.source, gitSecret: secret });

    await expect(listed).rejects.toMatchObject({ code: 'git-authentication', retryable: false });
    const error = await listed.catch((caught: unknown) => caught);
    expect(JSON.stringify([error, String(error), (error as Error).stack])).not.toMatch(/hunter2|aHVudGVy/);
    expect(secrets.reads.map(({ fresh }) => fresh)).toEqual([false, true]);
  });

  it('takes the rotated one when the one it knew is refused', async () => {
    world.accounts['ci'] = 'new';
    const secrets = gitSecrets({ [secret]: basic('ci', 'new') }, { [secret]: basic('ci', 'old') });

    const opened = await aHost({ secrets }).open({ ...world.source, gitSecret: secret }, commit);

    expect(opened.commit).toBe(commit);
  });

  it('rejects an anonymous source on a server that wants a credential, and says what to do', async () => {
    await expect(aHost().listRefs(world.source)).rejects.toMatchObject({
      code: 'git-authentication',
      message: expect.stringContaining('gitSecret'),
    });
  });

  it('passes on that a secret is missing', async () => {
    const listed = aHost().listRefs({ ...world.source, gitSecret: 'nowhere' });

    await expect(listed).rejects.toMatchObject({ code: 'secret-missing' });
  });

  it.each(['hunter2', '"hunter2"', '{}', 'null', '{"token":""}', '{"username":"a:b","password":"hunter2"}'])(
    'rejects a secret of another shape without telling it: %s',
    async (value) => {
      const secrets = gitSecrets({ [secret]: value });

      const error = await aHost({ secrets })
        .listRefs({ ...world.source, gitSecret: secret })
        .catch((caught: unknown) => caught);

      expect(error).toMatchObject({ code: 'git-authentication' });
      expect(String(error)).not.toContain('hunter2');
    },
  );
});

describe('redirects', () => {
  it('are followed on the same host, for the whole conversation', async () => {
    world.accounts['ci'] = 'right';
    const { url, requests } = await aServer(async (request, response) => {
      if (request.url?.startsWith('/old.git/')) {
        response.writeHead(301, { location: request.url.replace('/old.git/', '/sample.git/') }).end();
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { authorization, 'content-type': type, 'git-protocol': protocol } = request.headers;
      const answer = await fetch(`${world.server.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: JSON.parse(
          JSON.stringify({ authorization, 'content-type': type, 'git-protocol': protocol }),
        ),
        ...(request.method === 'POST' ? { body: Buffer.concat(chunks) } : {}),
      });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    const secrets = gitSecrets({ [secret]: basic('ci', 'right') });
    const source = aSource({ url: `${url}/old.git`, gitSecret: secret });

    const opened = await aHost({ secrets }).open(source, commit);

    expect(opened.commit).toBe(commit);
    expect(requests.map((request) => `${request.method} ${request.url}`)).toEqual([
      'GET /old.git/info/refs?service=git-upload-pack',
      'GET /sample.git/info/refs?service=git-upload-pack',
      'POST /sample.git/git-upload-pack',
    ]);
  });

  it('refuses another host without https, which then gets no request at all', async () => {
    const other = await aServer((_, response) => response.writeHead(200).end());
    const { url } = await aServer((request, response) =>
      response.writeHead(302, { location: `${other.url}${request.url}` }).end(),
    );
    const secrets = gitSecrets({ [secret]: basic('ci', 'right') });

    const listed = aHost({ secrets }).listRefs(aSource({ url: `${url}/sample.git`, gitSecret: secret }));

    await expect(listed).rejects.toMatchObject({ code: 'git-refused' });
    expect(other.requests).toEqual([]);
  });

  it('go to another host over https without the credential', async () => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    closing.push(() => agent.close());
    const seen: { origin: string; authorization: unknown }[] = [];
    const record = (origin: string, status: number, headers: Record<string, string>) =>
      agent
        .get(origin)
        .intercept({ path: () => true, method: 'GET' })
        .reply(({ headers: sent }) => {
          const { authorization } = sent as Record<string, unknown>;
          seen.push({ origin, authorization });
          return { statusCode: status, data: '', responseOptions: { headers } };
        });
    record('https://git.example.com', 301, {
      location: 'https://elsewhere.example.com/sample.git/info/refs?service=git-upload-pack',
    });
    record('https://elsewhere.example.com', 404, {});
    const secrets = gitSecrets({ [secret]: basic('ci', 'right') });

    const listed = aHost({ secrets, dispatcher: agent }).listRefs(aSource({ gitSecret: secret }));

    await expect(listed).rejects.toMatchObject({ code: 'git-not-found' });
    expect(seen).toEqual([
      { origin: 'https://git.example.com', authorization: expect.stringMatching(/^Basic /) },
      { origin: 'https://elsewhere.example.com', authorization: undefined },
    ]);
  });

  it.each([
    ['without end', (request: IncomingMessage) => request.url ?? ''],
    ['to a page that is no repository', () => '/sign-in?from=git'],
    ['to a URL with a credential', () => 'http://u:p@127.0.0.1/x'],
    ['to nowhere', () => 'http://'],
    ['to a file', () => 'file:///etc/passwd'],
  ])('refuses one %s', async (_, location) => {
    const { url } = await aServer((request, response) => {
      if (request.url?.startsWith('/sign-in')) {
        response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
        response.end('001e# service=git-upload-pack\n0000000eversion 2\n0000');
        return;
      }
      response.writeHead(302, { location: location(request) }).end();
    });

    const listed = aHost().listRefs(aSource({ url: `${url}/sample.git` }));

    await expect(listed).rejects.toMatchObject({ code: 'git-refused' });
  });

  it('refuses one in the middle of a fetch', async () => {
    const { url, requests } = await aServer((request, response) => {
      if (request.method === 'POST') return void response.writeHead(307, { location: '/x' }).end();
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
      response.end(advertisementOf(commit));
    });

    const opened = aHost().open(aSource({ url: `${url}/sample.git` }), commit);

    await expect(opened).rejects.toMatchObject({ code: 'git-refused' });
    expect(requests).toHaveLength(2);
  });
});

describe('where a source may lead', () => {
  it.each([
    'ftp://git.example.com/x',
    'file:///etc',
    'not a url',
    'https://user:hunter2@git.example.com/x',
    'https://git.example.com/x?token=hunter2',
    'https://git.example.com/x#y',
  ])('refuses the URL %s without repeating it', async (url) => {
    const error = await aHost()
      .listRefs(aSource({ url }))
      .catch((caught: unknown) => caught);

    expect(error).toMatchObject({ code: 'git-refused' });
    expect(String(error)).not.toContain('hunter2');
  });

  it('refuses plain http and private addresses unless the source allows them', async () => {
    const { allowHttp: _, ...withoutHttp } = world.source;
    const { allowPrivateNetwork: __, ...withoutPrivate } = world.source;

    await expect(aHost().listRefs(withoutHttp)).rejects.toMatchObject({
      code: 'git-refused',
      message: expect.stringContaining('allowHttp'),
    });
    await expect(aHost().listRefs(withoutPrivate)).rejects.toMatchObject({
      code: 'git-refused',
      message: expect.stringContaining('allowPrivateNetwork'),
    });
  });

  it.each([
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    '2130706433',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '169.254.169.254',
    '10.0.0.1',
    '[fd00::1]',
    '[fe80::1]',
    '0.0.0.0',
    '[::]',
  ])('refuses the literal address %s', async (host) => {
    const listed = aHost().listRefs(aSource({ url: `https://${host}:1/x.git`, allowPrivateNetwork: false }));

    await expect(listed).rejects.toMatchObject({ code: 'git-refused' });
  });

  it('refuses a name that resolves to a private address, at the address that is connected to', async () => {
    const { url, requests } = await aServer((_, response) => response.writeHead(200).end());
    const port = new URL(url).port;
    let lookups = 0;
    const host = aHost({
      lookup: (_hostname, _options, callback) => {
        lookups += 1;
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    });

    const listed = host.listRefs(
      aSource({ url: `http://rebinding.example.com:${port}/x.git`, allowPrivateNetwork: false }),
    );

    await expect(listed).rejects.toMatchObject({ code: 'git-refused' });
    expect(lookups).toBe(1);
    expect(requests).toEqual([]);
  });

  it('connects to a private address by name where the source allows it', async () => {
    world.accounts['ci'] = 'right';
    const port = new URL(world.server.url).port;
    const host = aHost({
      secrets: gitSecrets({ [secret]: basic('ci', 'right') }),
      lookup: (_hostname, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    });

    const refs = await host.listRefs(
      aSource({ url: `http://git.internal:${port}/sample.git`, gitSecret: secret }),
    );

    expect(refs.get('refs/heads/main')).toBe(commit);
  });

  it.each([
    ['8.8.8.8', false],
    ['140.82.121.3', false],
    ['2606:50c0:8000::153', false],
    ['::ffff:8.8.8.8', false],
    ['64:ff9b::8.8.8.8', false],
    ['64:ff9b::a00:1', true],
    ['::ffff:10.0.0.1', true],
    ['100.64.0.1', true],
    ['172.31.255.255', true],
    ['172.32.0.1', false],
    ['192.168.1.1', true],
    ['198.18.0.1', true],
    ['224.0.0.1', true],
    ['255.255.255.255', true],
    ['fd12:3456::1', true],
    ['fe80::1%eth0', true],
    ['ff02::1', true],
    ['2002:7f00:1::', true],
    ['2001:db8::1', true],
    ['64:ff9b:1::1', true],
    ['::127.0.0.1', true],
    ['not an address', true],
  ])('takes %s as internal: %s', (address, internal) => {
    expect(isInternalAddress(address)).toBe(internal);
  });
});

describe('servers that are none', () => {
  const advertised = { 'content-type': 'application/x-git-upload-pack-advertisement' };
  const banner = line('# service=git-upload-pack\n');
  const listOf = (first: string, ...rest: readonly string[]) => {
    const oid = '1'.repeat(40);
    const refs = [`${oid} ${first}\0shallow\n`, ...rest.map((name) => `${oid} ${name}\n`)];
    return `${banner}0000${refs.map(line).join('')}0000`;
  };

  it.each([
    ['a page for people', 200, { 'content-type': 'text/html' }, '<html>', 'git-refused', false],
    ['no access', 403, {}, '', 'git-authentication', false],
    ['a throttled request', 403, { 'retry-after': '10' }, '', 'git-unreachable', true],
    ['too many requests', 429, {}, '', 'git-unreachable', true],
    ['a broken server', 502, {}, '', 'git-unreachable', true],
    ['a page to sign in', 203, {}, '', 'git-authentication', false],
    ['a teapot', 418, {}, '', 'git-refused', false],
    ['no packets', 200, advertised, 'hello', 'git-corrupt', false],
    ['half a packet', 200, advertised, '001e# serv', 'git-unreachable', true],
    ['nothing', 200, advertised, '', 'git-unreachable', true],
    ['nothing behind the banner', 200, advertised, `${banner}0000`, 'git-unreachable', true],
    [
      'a list that ends without its end',
      200,
      advertised,
      listOf('refs/heads/a').slice(0, -4),
      'git-unreachable',
      true,
    ],
    [
      'a peeled tag without its tag',
      200,
      advertised,
      listOf('refs/tags/a', 'refs/tags/b^{}'),
      'git-corrupt',
      false,
    ],
    ['an error', 200, advertised, `${banner}0000${line('ERR hunter2')}0000`, 'git-refused', false],
    ['a ref that is none', 200, advertised, '000ahello\n0000', 'git-corrupt', false],
  ] as const)('rejects %s', async (_, status, headers, body, code, retryable) => {
    const { url } = await aServer((__, response) => response.writeHead(status, headers).end(body));

    const listed = aHost().listRefs(aSource({ url: `${url}/sample.git` }));

    await expect(listed).rejects.toMatchObject({ code, retryable });
    await expect(listed).rejects.not.toThrow('hunter2');
  });

  it('rejects a list of refs that breaks off, whatever the protocol, and does not take it for a shorter one', async () => {
    const { url } = await aServer((request, response) => {
      const isPost = request.method === 'POST';
      response.writeHead(200, isPost ? {} : advertised);
      response.end(isPost ? line(`${'1'.repeat(40)} refs/heads/main\n`) : `${line('version 2\n')}0000`);
    });

    const listed = aHost().listRefs(aSource({ url: `${url}/sample.git` }));

    await expect(listed).rejects.toMatchObject({ code: 'git-unreachable', retryable: true });
  });

  it('refuses a server that fetches over protocol 2 only, or not one commit alone', async () => {
    const answers = [
      `${line('version 2\n')}0000`,
      advertisementOf(commit, 'side-band-64k'),
      advertisementOf(commit, 'shallow'),
    ];
    const { url } = await aServer((_, response) => response.writeHead(200, advertised).end(answers.shift()));

    for (const reason of ['protocol 0', 'shallow', 'side-band-64k']) {
      const opened = aHost().open(aSource({ url: `${url}/sample.git` }), commit);

      await expect(opened).rejects.toMatchObject({
        code: 'git-refused',
        message: expect.stringContaining(reason),
      });
    }
  });

  it.each([
    ['nothing', '', 'git-commit-missing'],
    ['an error', '0014ERR hunter2 died', 'git-refused'],
    ['an error that names the commit', '0013ERR not our ref', 'git-commit-missing'],
    ['a pack that is none', '0008NAK\n000a\u0001hello0000', 'git-corrupt'],
    ['a pack that breaks off', '0008NAK\n000a\u0001PACK!', 'git-unreachable'],
    ['a pack that ends early', '0008NAK\n0009\u0001PACK', 'git-unreachable'],
    ['a path for an id', `${line('shallow ../../../../../../../../../dev/zero\n')}0000`, 'git-corrupt'],
    ['something unheard of', `${line('hunter2 40\n')}0000`, 'git-corrupt'],
    ['a failure on its way', '0008NAK\n000a\u0003died!0000', 'git-refused'],
  ])('rejects %s instead of a commit', async (_, body, code) => {
    const { url } = await aServer((request, response) => {
      if (request.method === 'POST') return void response.writeHead(200).end(body);
      response.writeHead(200, advertised).end(advertisementOf(commit));
    });

    const error = await aHost()
      .open(aSource({ url: `${url}/sample.git` }), commit)
      .catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('hunter2');
  });

  it('rejects a connection that breaks in the middle of a pack as worth another try', async () => {
    const { url } = await aServer((request, response) => {
      if (request.method === 'POST') {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('0008NAK\n', () => response.destroy());
        return;
      }
      response.writeHead(200, advertised).end(advertisementOf(commit));
    });

    const opened = aHost().open(aSource({ url: `${url}/sample.git` }), commit);

    await expect(opened).rejects.toMatchObject({ code: 'git-unreachable', retryable: true });
  });
});
