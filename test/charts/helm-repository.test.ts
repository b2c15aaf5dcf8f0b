import { readdir, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  aCredential,
  aChart,
  allOf,
  chartSecrets,
  chartWorld,
  digestOf,
  failureOf,
  hexOf,
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

const textOf = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

async function aRepository(
  files: Readonly<Record<string, string | Buffer>> = {},
  listed = [{ version: '1.2.3', digest: hexOf(archive) }],
): Promise<TestServer> {
  return world.serveFiles({
    'index.yaml': indexOf('podinfo', listed),
    'podinfo-1.2.3.tgz': archive,
    ...files,
  });
}

const of = (repository: TestServer, more = {}) => ({ repository: repository.url, name: 'podinfo', ...more });

describe('a chart of an HTTP repository', () => {
  it('is fetched, unpacked and named by its digest', async () => {
    const repository = await aRepository();

    const chart = await world.aHost().fetch(of(repository, { version: '^1' }));

    expect(chart).toMatchObject({ name: 'podinfo', version: '1.2.3', digest: digestOf(archive) });
    expect(textOf(chart.files.read('Chart.yaml'))).toContain('name: podinfo');
    expect(repository.asked()).toEqual(['/index.yaml', '/podinfo-1.2.3.tgz']);
  });

  it('is the newest release when no version is asked for', async () => {
    const old = await aChart({ version: '1.0.0' });
    const repository = await aRepository({ 'podinfo-1.0.0.tgz': old }, [
      { version: '2.0.0-rc.1', digest: 'ff'.repeat(32) },
      { version: '1.0.0', digest: hexOf(old) },
      { version: '1.2.3', digest: hexOf(archive) },
    ]);

    const chart = await world.aHost().fetch(of(repository));

    expect(chart.version).toBe('1.2.3');
  });

  it('may lie below a path, under an address relative to the repository', async () => {
    const index = indexOf('podinfo', [
      { version: '1.2.3', url: '../archives/p.tgz?sig=1', digest: hexOf(archive) },
    ]);
    const repository = await world.serveFiles({
      'charts/stable/index.yaml': index,
      'charts/archives/p.tgz?sig=1': archive,
    });

    for (const slash of ['', '/', '//']) {
      const chart = await world
        .aHost()
        .fetch({ repository: `${repository.url}/charts/stable${slash}`, name: 'podinfo' });
      expect(chart.version).toBe('1.2.3');
    }
  });

  it('may be published without a digest, and is asked for each time then', async () => {
    const repository = await aRepository({}, [{ version: '1.2.3' } as never]);
    const host = world.aHost();

    const first = await host.fetch(of(repository));
    await host.fetch(of(repository));

    expect(first.digest).toBe(digestOf(archive));
    expect(repository.asked().filter((url) => url?.endsWith('.tgz'))).toHaveLength(2);
  });

  it('may be called v1.2.3 in the index and 1.2.3 in itself', async () => {
    const repository = await aRepository({ 'podinfo-v1.2.3.tgz': archive }, [
      { version: 'v1.2.3', digest: hexOf(archive) },
    ]);

    await expect(world.aHost().fetch(of(repository))).resolves.toMatchObject({ version: '1.2.3' });
  });

  it('is looked up again each time, and fetched anew when there is a newer one', async () => {
    const newer = await aChart({ version: '1.3.0' });
    const files: Record<string, string | Buffer> = {
      'index.yaml': indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]),
      'podinfo-1.2.3.tgz': archive,
      'podinfo-1.3.0.tgz': newer,
    };
    const repository = await world.serveFiles(files);
    const host = world.aHost();

    const first = await host.fetch(of(repository, { version: '1.x' }));
    files['index.yaml'] = indexOf('podinfo', [{ version: '1.3.0', digest: hexOf(newer) }]);
    const second = await host.fetch(of(repository, { version: '1.x' }));

    expect([first.version, second.version]).toEqual(['1.2.3', '1.3.0']);
  });

  it('is fetched once for all who ask at the same time', async () => {
    const repository = await aRepository();
    const host = world.aHost();

    const charts = await Promise.all([
      ...Array.from({ length: 5 }, () => host.fetch(of(repository))),
      host.fetch(of(repository, { version: '^1' })),
    ]);

    expect(new Set(charts.map(({ digest }) => digest)).size).toBe(1);
    expect(repository.asked().filter((url) => url?.endsWith('.tgz'))).toHaveLength(1);
  });
});

describe('the index', () => {
  it('is asked for with its ETag, and not sent again', async () => {
    const index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
    const answers: number[] = [];
    const repository = await world.serve((request, response) => {
      if (request.url !== '/index.yaml') return response.end(archive);
      const status = request.headers['if-none-match'] === '"one"' ? 304 : 200;
      answers.push(status);
      response.writeHead(status, { etag: '"one"' }).end(status === 200 ? index : undefined);
    });
    const host = world.aHost();

    await host.fetch(of(repository));
    const again = await host.fetch(of(repository));

    expect(answers).toEqual([200, 304]);
    expect(again.version).toBe('1.2.3');
  });

  it('is asked for with its date where it has no ETag', async () => {
    const index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
    const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
    const repository = await world.serve((request, response) => {
      if (request.url !== '/index.yaml') return response.end(archive);
      if (request.headers['if-modified-since'] === date) return response.writeHead(304).end();
      response.writeHead(200, { 'last-modified': date }).end(index);
    });
    const host = world.aHost();

    await host.fetch(of(repository));

    await expect(host.fetch(of(repository))).resolves.toMatchObject({ version: '1.2.3' });
  });

  it('is not shared between credentials', async () => {
    const index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
    const repository = await world.serve((request, response) => {
      if (request.url !== '/index.yaml') return response.end(archive);
      if (request.headers['if-none-match'] !== undefined) return response.writeHead(304).end();
      if (request.headers.authorization === undefined) return response.writeHead(401).end();
      response.writeHead(200, { etag: '"one"' }).end(index);
    });
    const host = world.aHost({ secrets: chartSecrets({ team: aCredential('a:b', repository) }) });

    await host.fetch(of(repository, { credentials: 'team' }));

    await expect(host.fetch(of(repository))).rejects.toMatchObject({ code: 'chart-authentication' });
  });

  it('may come packed by gzip', async () => {
    const index = gzipSync(indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]));
    const repository = await world.serve((request, response) => {
      if (request.url !== '/index.yaml') return response.end(archive);
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(index);
    });

    await expect(world.aHost().fetch(of(repository))).resolves.toMatchObject({ version: '1.2.3' });
  });

  it('is forgotten when others need the memory', async () => {
    const limits = { indexCacheBytes: 1_000 };
    const index = `${indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }])}# ${'x'.repeat(500)}\n`;
    const conditions: unknown[] = [];
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      if (request.url !== '/index.yaml') return response.end(archive);
      conditions.push(request.headers['if-none-match']);
      response.writeHead(200, { etag: '"one"' }).end(index);
    };
    const [one, other] = [await world.serve(answer), await world.serve(answer)];
    const host = world.aHost({ limits });

    for (const repository of [one, one, other, one]) await host.fetch(of(repository));

    expect(conditions).toEqual([undefined, '"one"', undefined, undefined]);
  });

  it.each([
    ['as it is', (response: ServerResponse) => response.end('x'.repeat(3_000))],
    [
      'by what it says',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '3000' });
        response.write('x');
      },
    ],
    [
      'unpacked',
      (response: ServerResponse) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(3_000))),
    ],
    [
      'without an end',
      (response: ServerResponse) => {
        const more = () => !response.destroyed && response.write('x'.repeat(500), () => setImmediate(more));
        more();
      },
    ],
  ])('rejects one that is too large %s', async (_, answer) => {
    const repository = await world.serve((_request, response) => answer(response));

    const fetched = world.aHost({ limits: { maxIndexBytes: 2_000 } }).fetch(of(repository));

    await expect(fetched).rejects.toMatchObject({
      code: 'chart-too-large',
      message: expect.stringContaining('maxIndexBytes'),
    });
  });

  it('rejects a page for people', async () => {
    const repository = await aRepository({ 'index.yaml': '<html>Sign in</html>' });

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({
      code: 'chart-corrupt',
      message: expect.stringContaining('sign in'),
    });
  });

  it.each(['br', 'deflate, gzip'])('rejects the encoding %s, which was not asked for', async (encoding) => {
    const repository = await world.serve((_, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end('x'),
    );

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({ code: 'chart-corrupt' });
  });
});

describe('a chart that is not there', () => {
  it('rejects a version that nothing matches, and says what exists', async () => {
    const repository = await aRepository({}, [
      { version: '1.2.0', digest: 'aa'.repeat(32) },
      { version: '1.1.0', digest: 'bb'.repeat(32) },
    ]);

    const error = await failureOf(world.aHost().fetch(of(repository, { version: '^2' })));

    expect(error).toMatchObject({ code: 'chart-not-found', retryable: false });
    expect(error.message).toContain('1.2.0, 1.1.0');
    expect(error.message).toContain('"^2"');
  });

  it('rejects a name that the index does not list', async () => {
    const repository = await aRepository();

    await expect(world.aHost().fetch({ ...of(repository), name: 'other' })).rejects.toMatchObject({
      code: 'chart-not-found',
    });
  });

  it('rejects a repository without an index, and an archive that is gone', async () => {
    const empty = await world.serveFiles({});
    const gone = await world.serveFiles({
      'index.yaml': indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]),
    });

    for (const repository of [empty, gone]) {
      await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({ code: 'chart-not-found' });
    }
  });

  it.each([
    [500, undefined],
    [503, undefined],
    [429, undefined],
    [403, '60'],
  ])('rejects the status %d as worth another try', async (status, retryAfter) => {
    const repository = await world.serve((_, response) =>
      response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('busy'),
    );

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({
      code: 'chart-unreachable',
      retryable: true,
    });
  });

  it.each([204, 206, 304, 418])('refuses the status %d', async (status) => {
    const repository = await world.serve((_, response) => response.writeHead(status).end());

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it('rejects a dead host as worth another try', async () => {
    const repository = await world.serveFiles({});
    const dead = { ...repository, url: repository.url.replace(/\d+$/, '1') };

    const fetched = world.aHost({ allowedOrigins: [dead.url] }).fetch(of(dead));

    await expect(fetched).rejects.toMatchObject({ code: 'chart-unreachable', retryable: true });
  });
});

describe('a chart that is not what it should be', () => {
  it('rejects an archive of another digest than the index says, and names both', async () => {
    const other = await aChart({ files: { 'templates/evil.yaml': 'x' } });
    const repository = await aRepository({ 'podinfo-1.2.3.tgz': other });
    const host = world.aHost();

    const error = await failureOf(host.fetch(of(repository)));

    expect(error).toMatchObject({ code: 'chart-corrupt' });
    expect(error.message).toContain(hexOf(archive));
    expect(error.message).toContain(hexOf(other));
    await expect(host.fetch(of(repository))).rejects.toMatchObject({ code: 'chart-corrupt' });
  });

  it('takes the digest that is asked for, with a version or alone', async () => {
    const old = await aChart({ version: '1.0.0' });
    const repository = await aRepository({ 'podinfo-1.0.0.tgz': old }, [
      { version: '1.2.3', digest: hexOf(archive) },
      { version: '1.0.0', digest: `sha256:${hexOf(old)}` },
    ]);
    const host = world.aHost();

    const byBoth = await host.fetch(of(repository, { version: '1.2.3', digest: digestOf(archive) }));
    const byDigest = await host.fetch(of(repository, { digest: digestOf(old) }));

    expect([byBoth.version, byDigest.version]).toEqual(['1.2.3', '1.0.0']);
  });

  it('refuses another digest than the one asked for, and names both', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;

    for (const listed of [[{ version: '1.2.3', digest: hexOf(archive) }], [{ version: '1.2.3' } as never]]) {
      const repository = await aRepository({}, listed);
      const error = await failureOf(world.aHost().fetch(of(repository, { version: '1.2.3', digest })));

      expect(error.code).toMatch(/^chart-(refused|corrupt)$/);
      expect(error.message).toContain(digest);
      expect(error.message).toContain(hexOf(archive));
    }
  });

  it.each([
    ['another name', { name: 'other' }],
    ['another version', { version: '1.2.4' }],
    ['another build', { version: '1.2.3+evil' }],
  ])('rejects an archive that has %s in its Chart.yaml', async (_, parts) => {
    const other = await aChart(parts);
    const repository = await aRepository({ 'podinfo-1.2.3.tgz': other }, [
      { version: '1.2.3', digest: hexOf(other) },
    ]);

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({
      code: 'chart-corrupt',
      message: expect.stringContaining('Chart.yaml'),
    });
  });

  it('rejects an archive that is too large', async () => {
    const repository = await aRepository();

    const fetched = world.aHost({ limits: { maxArchiveBytes: 100 } }).fetch(of(repository));

    await expect(fetched).rejects.toMatchObject({
      code: 'chart-too-large',
      message: expect.stringContaining('maxArchiveBytes'),
    });
  });

  it('rejects an archive that breaks off, as worth another try', async () => {
    const index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
    const repository = await world.serve((request, response) => {
      if (request.url === '/index.yaml') return response.end(index);
      response.writeHead(200, { 'content-length': String(archive.length) });
      response.write(archive.subarray(0, 100), () => response.destroy());
    });

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({
      code: 'chart-unreachable',
      retryable: true,
    });
  });

  it('rejects an archive that ends early without telling', async () => {
    const repository = await aRepository({ 'podinfo-1.2.3.tgz': archive.subarray(0, 100) });

    await expect(world.aHost().fetch(of(repository))).rejects.toMatchObject({ code: 'chart-corrupt' });
  });

  it('rejects an index without an address, or with one that is none', async () => {
    for (const url of [
      'http://[',
      'ftp://host.test/x.tgz',
      'file:///etc/passwd',
      'https://u:p@host.test/x.tgz',
    ]) {
      const repository = await aRepository({
        'index.yaml': indexOf('podinfo', [{ version: '1.2.3', url: JSON.stringify(url) }]),
      });
      const error = await failureOf(world.aHost().fetch(of(repository)));
      expect(error.code).toMatch(/^chart-(refused|corrupt)$/);
      expect(error.message).not.toContain('u:p');
    }
    const none = await aRepository({
      'index.yaml': 'apiVersion: v1\nentries:\n  podinfo:\n  - {name: podinfo, version: 1.0.0}\n',
    });
    await expect(world.aHost().fetch(of(none))).rejects.toMatchObject({ code: 'chart-corrupt' });
  });
});

describe('the time a fetch takes', () => {
  it('rejects a server that does not answer', async () => {
    const repository = await world.serve(() => undefined);

    const fetched = world.aHost({ limits: { requestTimeoutMs: 100 } }).fetch(of(repository));

    await expect(fetched).rejects.toMatchObject({ code: 'chart-unreachable', retryable: true });
  });

  it('rejects an answer that drips', async () => {
    const repository = await world.serve((_, response) => {
      const timer = setInterval(() => response.write('#\n'), 10);
      response.on('close', () => clearInterval(timer));
    });

    const fetched = world.aHost({ limits: { requestTimeoutMs: 200 } }).fetch(of(repository));

    await expect(fetched).rejects.toMatchObject({ code: 'chart-unreachable', retryable: true });
  });

  it('rejects many requests that are each in time', async () => {
    const repository = await world.serve((request, response) => {
      const at = Number(request.url?.match(/\d+/)?.[0] ?? 0);
      setTimeout(() => response.writeHead(302, { location: `/index.yaml?${at + 1}` }).end(), 80);
    });

    const fetched = world
      .aHost({ limits: { requestTimeoutMs: 5_000, timeoutMs: 150 } })
      .fetch(of(repository));

    await expect(fetched).rejects.toMatchObject({ code: 'chart-unreachable', retryable: true });
  });
});

describe('the archives on disk', () => {
  it('serve the next host, and are checked again', async () => {
    const repository = await aRepository();
    const cacheDirectory = path.join(world.directory, 'shared');
    await world.aHost({ cacheDirectory }).fetch(of(repository));
    const file = path.join(cacheDirectory, `${hexOf(archive)}.tgz`);

    await world.aHost({ cacheDirectory }).fetch(of(repository));
    const before = repository.asked().filter((url) => url?.endsWith('.tgz')).length;
    await writeFile(file, await aChart({ files: { 'templates/evil.yaml': 'x' } }));
    const chart = await world.aHost({ cacheDirectory }).fetch(of(repository));
    const after = repository.asked().filter((url) => url?.endsWith('.tgz')).length;

    expect([before, after]).toEqual([1, 2]);
    expect(chart.files.read('templates/evil.yaml')).toBeUndefined();
  });

  it('are private, and leave nothing half written', async () => {
    const cacheDirectory = path.join(world.directory, 'private');

    const repository = await aRepository();

    await world.aHost({ cacheDirectory }).fetch(of(repository));

    const files = await readdir(cacheDirectory);
    expect(files).toEqual([`${hexOf(archive)}.tgz`]);
    expect((await stat(cacheDirectory)).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(cacheDirectory, files[0] ?? ''))).mode & 0o777).toBe(0o600);
  });

  it('are not needed: a directory that cannot be written keeps nothing', async () => {
    const file = path.join(world.directory, 'a-file');
    await writeFile(file, '');
    const repository = await aRepository();

    const chart = await world.aHost({ cacheDirectory: path.join(file, 'cache') }).fetch(of(repository));

    expect(chart.version).toBe('1.2.3');
  });
});

describe('errors', () => {
  it('name no query of an address, which may be a signature', async () => {
    const signature = 'sig-hunter2';
    const url = `${(await world.serve((_, response) => response.writeHead(500).end())).url}/x.tgz?${signature}`;
    const repository = await aRepository({ 'index.yaml': indexOf('podinfo', [{ version: '1.2.3', url }]) });

    const error = await failureOf(world.aHost().fetch(of(repository)));

    expect(error.message).toContain('/x.tgz');
    expect(allOf(error)).not.toContain(signature);
  });
});
