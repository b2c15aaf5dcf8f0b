import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gitCommand } from '../../lib/local/git-server/git-command.ts';
import type { CommitSha } from '../../lib/model/ids.ts';
import type { Source } from '../../lib/model/source.ts';
import { createGitHost, type GitHostDependencies } from '../../lib/source/git-host.ts';
import { resolveRef } from '../../lib/source/git-refs.ts';
import { aSource, gitSecrets, gitWorld, type GitWorld } from '../support/git-world.ts';

let world: GitWorld;
const hosts: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  world = await gitWorld();
});

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()));
  await world.close();
});

function aHost(overrides: Partial<GitHostDependencies> = {}) {
  const host = createGitHost({
    secrets: gitSecrets({}),
    cacheDirectory: path.join(world.directory, 'cache'),
    ...overrides,
  });
  hosts.push(host);
  return host;
}

async function fileOf(host: ReturnType<typeof aHost>, source: Source, commit: CommitSha, name: string) {
  const opened = await host.open(source, commit);
  try {
    const entry = (await opened.readTree(opened.rootTree)).find((each) => each.name === name);
    return entry === undefined ? undefined : Buffer.from(await opened.readBlob(entry.oid)).toString('utf8');
  } finally {
    await opened.release();
  }
}

describe('listRefs', () => {
  it.each([
    ['protocol 2', undefined],
    ['protocol 0', '0'],
  ] as const)(
    'gives branches and peeled tags, without HEAD and what hosts keep for themselves (%s)',
    async (_, protocol) => {
      const first = await world.commit({ a: '1' });
      await world.git('tag', 'light');
      await world.git('tag', '-a', 'annotated', '-m', 'Release');
      await world.git('tag', '-a', 'nested', '-m', 'Tag of a tag', 'annotated');
      const second = await world.commit({ a: '2' });
      await world.push('main', `${first}:refs/heads/feature/x`, `${first}:refs/pull/1/head`, '--tags');
      const source = protocol === undefined ? world.source : await protocolZero(world.source);

      const refs = await aHost().listRefs(source);

      expect(Object.fromEntries(refs)).toEqual({
        'refs/heads/feature/x': first,
        'refs/heads/main': second,
        'refs/tags/annotated': first,
        'refs/tags/light': first,
        'refs/tags/nested': first,
      });
    },
  );

  it('gives nothing for a repository without commits', async () => {
    expect((await aHost().listRefs(world.source)).size).toBe(0);
    expect((await aHost().listRefs(await protocolZero(world.source))).size).toBe(0);
  });
});

describe('resolveRef', () => {
  it('finds branch and tag, and takes a commit as it is', async () => {
    const commit = await world.commit({ a: '1' });
    await world.git('tag', '-a', 'v1', '-m', 'Release');
    await world.push('main', 'v1');

    const refs = await aHost().listRefs(world.source);

    expect(resolveRef(refs, { kind: 'branch', name: 'main' })).toBe(commit);
    expect(resolveRef(refs, { kind: 'tag', name: 'v1' })).toBe(commit);
    expect(resolveRef(refs, { kind: 'commit', sha: commit.toUpperCase() })).toBe(commit);
  });

  it('rejects a branch that is not there, and a commit that is not given in full', () => {
    expect(() => resolveRef(new Map(), { kind: 'branch', name: 'main' })).toThrow(
      expect.objectContaining({ code: 'git-ref-missing' }),
    );
    expect(() => resolveRef(new Map(), { kind: 'commit', sha: 'abc123' })).toThrow(
      expect.objectContaining({ code: 'invalid-input' }),
    );
  });
});

describe('open', () => {
  it.each(['protocol 2', 'protocol 0'])(
    'reads exactly the wanted commit, not the newest (%s)',
    async (protocol) => {
      const wanted = await world.commit({ 'a.yaml': 'old', 'dir/b.yaml': 'b' });
      await world.commit({ 'a.yaml': 'new' });
      await world.push('main');
      const source = protocol === 'protocol 0' ? await protocolZero(world.source) : world.source;

      const opened = await aHost().open(source, wanted);

      const tree = await opened.readTree(opened.rootTree);
      expect(tree.map(({ name, type }) => ({ name, type }))).toEqual([
        { name: 'a.yaml', type: 'blob' },
        { name: 'dir', type: 'tree' },
      ]);
      expect(Buffer.from(await opened.readBlob(tree[0]?.oid ?? '')).toString()).toBe('old');
      await opened.release();
    },
  );

  it('reads a commit that a forced push has left behind', async () => {
    const left = await world.commit({ 'a.yaml': 'left' });
    await world.push('main');
    await world.git('commit', '--amend', '--quiet', '-m', 'Again');
    await world.commit({ 'a.yaml': 'forced' });
    await world.push('--force', 'main');

    expect(await fileOf(aHost(), world.source, left, 'a.yaml')).toBe('left');
  });

  it('tells symlinks, submodules and executables apart', async () => {
    await world.commit({ 'run.sh': '#!/bin/sh', link: { link: '/etc/passwd' } });
    await world.git('update-index', '--chmod=+x', 'run.sh');
    await world.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`);
    await world.git('commit', '--quiet', '-m', 'Kinds');
    const commit = (await world.git('rev-parse', 'HEAD')) as CommitSha;
    await world.push('main');

    const opened = await aHost().open(world.source, commit);

    expect(await opened.readTree(opened.rootTree)).toMatchObject([
      { name: 'link', type: 'symlink' },
      { name: 'module', type: 'submodule' },
      { name: 'run.sh', type: 'blob', executable: true },
    ]);
  });

  it('reads objects that the pack keeps as deltas, byte for byte', async () => {
    const lines = Array.from({ length: 4000 }, (_, index) => `line ${index} ${(index * 7919) % 104729}`);
    const files = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`f${index}`, [...lines, `only ${index}`].join('\n')]),
    );
    const commit = await world.commit(files);
    await world.push('main');
    await gitCommand(world.bare, ['repack', '-adfq', '--depth=50', '--window=50']);
    const opened = await aHost().open(world.source, commit);

    const tree = await opened.readTree(opened.rootTree);

    expect(tree).toHaveLength(30);
    for (const { name, oid } of tree) {
      expect(Buffer.from(await opened.readBlob(oid)).toString()).toBe(files[name]);
    }
  });

  it.each(['protocol 2', 'protocol 0'])(
    'lists and reads where HEAD names a branch that is not there (%s)',
    async (protocol) => {
      await gitCommand(world.bare, ['symbolic-ref', 'HEAD', 'refs/heads/nowhere']);
      const wanted = await world.commit({ 'a.yaml': 'wanted' });
      await world.commit({ 'a.yaml': 'newer' });
      await world.push('main:refs/heads/feature');
      const source = protocol === 'protocol 0' ? await protocolZero(world.source) : world.source;
      const host = aHost();

      expect([...(await host.listRefs(source)).keys()]).toEqual(['refs/heads/feature']);
      expect(await fileOf(host, source, wanted, 'a.yaml')).toBe('wanted');
    },
  );

  it('reads the only tag of a repository without branches', async () => {
    const commit = await world.commit({ 'a.yaml': 'tagged' });
    await world.git('tag', 'light');
    await world.push('light');

    expect(await fileOf(aHost(), world.source, commit, 'a.yaml')).toBe('tagged');
  });

  it('rejects any commit of a repository without commits', async () => {
    const opened = aHost().open(world.source, '1'.repeat(40) as CommitSha);

    await expect(opened).rejects.toMatchObject({ code: 'git-commit-missing' });
  });

  it('opens a commit behind an annotated tag on a server that serves only tips', async () => {
    await gitCommand(world.bare, ['config', '--unset', 'uploadpack.allowAnySHA1InWant']);
    const tagged = await world.commit({ 'a.yaml': 'tagged' });
    await world.git('tag', '-a', 'v1', '-m', 'Release');
    const between = await world.commit({ 'a.yaml': 'between' });
    const tip = await world.commit({ 'a.yaml': 'tip' });
    await world.push('main', 'v1');
    const source = await protocolZero(world.source);
    const host = aHost();

    expect(await fileOf(host, source, tip, 'a.yaml')).toBe('tip');
    expect(await fileOf(host, source, tagged, 'a.yaml')).toBe('tagged');
    await expect(host.open(source, between)).rejects.toMatchObject({ code: 'git-commit-missing' });
  });

  it.each(['protocol 2', 'protocol 0'])('rejects a commit that is not there (%s)', async (protocol) => {
    await world.commit({ a: '1' });
    await world.push('main');
    const source = protocol === 'protocol 0' ? await protocolZero(world.source) : world.source;

    const opened = aHost().open(source, '1'.repeat(40) as CommitSha);

    await expect(opened).rejects.toMatchObject({ code: 'git-commit-missing', retryable: false });
  });

  it('rejects an object that is no commit', async () => {
    await world.commit({ a: '1' });
    await world.git('tag', '-a', 'v1', '-m', 'Release');
    const tree = (await world.git('rev-parse', 'HEAD^{tree}')) as CommitSha;
    const tag = (await world.git('rev-parse', 'v1')) as CommitSha;
    await world.push('main', 'v1');

    await expect(aHost().open(world.source, tree)).rejects.toMatchObject({ code: 'git-corrupt' });
    await expect(aHost().open(world.source, tag)).rejects.toMatchObject({ code: 'git-corrupt' });
  });

  it('reads a commit without files', async () => {
    const commit = await world.commit({});
    await world.push('main');

    const opened = await aHost().open(world.source, commit);

    expect(await opened.readTree(opened.rootTree)).toEqual([]);
  });

  it('rejects a cache directory that cannot be written, and names it', async () => {
    const commit = await world.commit({ a: '1' });
    await world.push('main');
    await writeFile(path.join(world.directory, 'file'), '');
    const cacheDirectory = path.join(world.directory, 'file', 'cache');

    const opened = aHost({ cacheDirectory }).open(world.source, commit);

    await expect(opened).rejects.toMatchObject({ code: 'internal', retryable: true });
    await expect(opened).rejects.toThrow(cacheDirectory);
  });

  it('rejects a repository that is not there', async () => {
    const source = { ...world.source, url: `${world.server.url}/other.git` };

    await expect(aHost().listRefs(source)).rejects.toMatchObject({ code: 'git-not-found', retryable: false });
  });

  it('rejects a server that is not there as worth another try', async () => {
    await world.server.close();

    const listed = aHost().listRefs(world.source);

    await expect(listed).rejects.toMatchObject({ code: 'git-unreachable', retryable: true });
    await expect(listed).rejects.toThrow(/ECONNREFUSED/);
  });

  it.each(['not-a-sha', 'HEAD', '1'.repeat(39), 'refs/heads/main'])(
    'refuses "%s" as a commit',
    async (commit) => {
      await expect(aHost().open(world.source, commit as CommitSha)).rejects.toMatchObject({
        code: 'invalid-input',
      });
    },
  );

  it('refuses a sha256 commit, and a repository that keeps sha256 objects', async () => {
    const bare = path.join(world.directory, 'server', 'other.git');
    await gitCommand(world.directory, ['init', '--quiet', '--bare', '--object-format=sha256', bare]);
    const source = { ...world.source, url: `${world.server.url}/other.git` };

    await expect(aHost().open(world.source, 'a'.repeat(64) as CommitSha)).rejects.toMatchObject({
      code: 'git-refused',
    });
    await expect(aHost().listRefs(source)).rejects.toMatchObject({ code: 'git-refused' });
  });
});

describe('limits', () => {
  it('rejects a pack that is too large while it comes', async () => {
    const commit = await world.commit({ noise: noise(300_000) });
    await world.push('main');

    const opened = aHost({ limits: { maxPackBytes: 100_000 } }).open(world.source, commit);

    await expect(opened).rejects.toMatchObject({ code: 'git-too-large', retryable: false });
  });

  it('rejects a pack that unpacks to more than it should', async () => {
    const commit = await world.commit({
      zeros: new Uint8Array(30_000_000),
      more: new Uint8Array(30_000_001),
    });
    await world.push('main');

    const opened = aHost({ limits: { maxPackBytes: 1_000_000 } }).open(world.source, commit);

    await expect(opened).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('reads its neighbours when one file is too large, and rejects that one', async () => {
    const commit = await world.commit({
      'a.yaml': 'small',
      huge: new Uint8Array(40_000_000),
      large: noise(2000),
    });
    await world.push('main');
    const opened = await aHost({ limits: { maxFileBytes: 1000 } }).open(world.source, commit);

    const tree = await opened.readTree(opened.rootTree);
    const oid = (name: string) => tree.find((entry) => entry.name === name)?.oid ?? '';

    expect(Buffer.from(await opened.readBlob(oid('a.yaml'))).toString()).toBe('small');
    await expect(opened.readBlob(oid('large'))).rejects.toMatchObject({ code: 'git-too-large' });
    await expect(opened.readBlob(oid('huge'))).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects a server that never answers', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/sample.git`;

    const listed = aHost({ limits: { timeoutMs: 200 } }).listRefs(aSource({ url }));

    await expect(listed).rejects.toMatchObject({ code: 'git-unreachable', retryable: true });
    silent.closeAllConnections();
    silent.close();
  });
});

/** Incompressible, and the same every time. */
function noise(bytes: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash('sha256').update(String(index)).digest(),
  );
  return Buffer.concat(blocks).subarray(0, bytes);
}

/** A proxy before the real server that forgets the Git-Protocol header, as old servers do. */
async function protocolZero(source: Source): Promise<Source> {
  const proxy = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const {
      'git-protocol': _,
      host: __,
      connection: ___,
      'content-length': ____,
      ...headers
    } = request.headers;
    const answer = await fetch(`${world.server.url}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(request.method === 'POST' ? { body: Buffer.concat(chunks) } : {}),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  hosts.push({
    close: async () => {
      proxy.closeAllConnections();
      proxy.close();
    },
  });
  const url = new URL(source.url);
  return { ...source, url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${url.pathname}` };
}
