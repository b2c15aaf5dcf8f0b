import { join } from 'node:path';

import { gitCommand } from '../../../lib/local/git-server/git-command.ts';
import type { ErrorCode } from '../../../lib/model/errors.ts';
import type { CommitSha } from '../../../lib/model/ids.ts';
import { openCommit } from '../../../lib/source/commit-reader.ts';
import { createGitHost } from '../../../lib/source/git-host.ts';
import { gitSecrets, gitWorld, type GitWorld } from '../../support/git-world.ts';
import { configMap, namesOf } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { attack, withCanary } from './attack.ts';

const canary = withCanary();

let world: GitWorld;
let git: ReturnType<typeof createGitHost>;

beforeAll(async () => {
  world = await gitWorld();
  git = createGitHost({ secrets: gitSecrets({}), cacheDirectory: join(world.directory, 'cache') });
});

afterAll(async () => {
  await git.close();
  await world.close();
});

interface Entry {
  readonly mode: '100644' | '120000' | '40000' | '160000';
  readonly name: string;
  readonly oid: string;
}

const written = (type: string, input: string | Uint8Array) =>
  gitCommand(world.bare, ['hash-object', '-w', '-t', type, '--literally', '--stdin'], { input });
const blob = async (name: string, content: string): Promise<Entry> => ({
  mode: '100644',
  name,
  oid: await written('blob', content),
});
const link = async (name: string, target: string): Promise<Entry> => ({
  mode: '120000',
  name,
  oid: await written('blob', target),
});
const tree = async (name: string, ...entries: readonly Entry[]): Promise<Entry> => ({
  mode: '40000',
  name,
  oid: await written('tree', bytesOf(entries)),
});

/** What no git would write. */
function bytesOf(entries: readonly Entry[]): Uint8Array {
  return Buffer.concat(
    entries.map(({ mode, name, oid }) =>
      Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')]),
    ),
  );
}

/** A commit with this at app/. */
async function committed(entries: readonly Entry[]): Promise<CommitSha> {
  const root = await written('tree', bytesOf([await tree('app', ...entries)]));
  return (await gitCommand(world.bare, ['commit-tree', root, '-m', 'Attack'])) as CommitSha;
}

/** Fetched from the server as any other. */
async function attackFrom(...entries: readonly Entry[]) {
  const commit = await committed(entries);
  await gitCommand(world.bare, ['update-ref', 'refs/heads/main', commit]);
  const reader = await git.open(world.source, commit);
  try {
    return await attack({ files: {}, reader });
  } finally {
    await reader.release();
  }
}

const own = () => blob('own.yaml', configMap('own'));

withTools(`a tree that git would not check out${whySkipped}`, () => {
  it.each<readonly [string, () => Promise<readonly Entry[]>, ErrorCode | 'rendered']>([
    ['with a symbolic link to a file', async () => [await link('a.yaml', canary().file)], 'render-refused'],
    [
      'with a symbolic link to its environment',
      async () => [await link('a.yaml', '/proc/self/environ')],
      'render-refused',
    ],
    [
      'with a symbolic link within',
      async () => [await link('a.yaml', 'own.yaml'), await own()],
      'render-refused',
    ],
    [
      'with a chain of symbolic links',
      async () => [await link('a.yaml', 'b.yaml'), await link('b.yaml', canary().file)],
      'render-refused',
    ],
    ['with a symbolic link to a directory', async () => [await link('more', '/')], 'render-refused'],
    ['with a submodule', async () => [{ mode: '160000', name: 'm', oid: '1'.repeat(40) }], 'render-refused'],
    ['with ..', async () => [await tree('..', await own())], 'git-corrupt'],
    ['with .', async () => [await tree('.', await own())], 'git-corrupt'],
    [
      'with a name with slashes',
      async () => [await blob('../../evil.yaml', configMap('evil'))],
      'git-corrupt',
    ],
    ['with an absolute name', async () => [await blob('/tmp/evil.yaml', configMap('evil'))], 'git-corrupt'],
    [
      'with .git',
      async () => [await tree('.git', await blob('config', '[core]\nfsmonitor = id\n'))],
      'git-corrupt',
    ],
    ['with .GIT', async () => [await tree('.GIT', await blob('a.yaml', configMap('a')))], 'git-corrupt'],
    [
      'with a name twice',
      async () => [await own(), await blob('own.yaml', configMap('evil'))],
      'git-corrupt',
    ],
    [
      'with a backslash in a name',
      async () => [await blob('..\\evil.yaml', configMap('evil'))],
      'git-corrupt',
    ],
    ['with a line feed in a name', async () => [await blob('a\n.yaml', configMap('evil'))], 'render-refused'],
    [
      'with a file that is a tree',
      async () => [{ ...(await tree('a.yaml', await own())), mode: '100644' }],
      'git-corrupt',
    ],
    [
      'with .gitmodules of ext::',
      async () => [
        await blob('.gitmodules', '[submodule "x"]\npath = x\nurl = ext::sh -c id\n'),
        await own(),
      ],
      'rendered',
    ],
    [
      'with .gitattributes of a filter',
      async () => [await blob('.gitattributes', '* filter=evil\n'), await own()],
      'rendered',
    ],
    [
      'with a pointer of LFS',
      async () => [
        await blob(
          'a.yaml',
          `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 1\n`,
        ),
      ],
      'render-failed',
    ],
  ])('%s', async (_name, entries, code) => {
    const outcome = await attackFrom(...(await entries()));

    expect({ code: outcome.code, objects: namesOf(outcome.manifests) }).toEqual({
      code,
      objects: code === 'rendered' ? ['ConfigMap own'] : [],
    });
  });

  it.each<readonly [string, () => Promise<readonly Entry[]>, ErrorCode]>([
    ['with a name that is empty', async () => [await blob('', configMap('a'))], 'git-corrupt'],
    [
      'with a tree that is a file',
      async () => [{ ...(await own()), name: 'd', mode: '40000' }],
      'git-corrupt',
    ],
    [
      'with a file that is nowhere',
      async () => [{ mode: '100644', name: 'a.yaml', oid: '2'.repeat(40) }],
      'git-corrupt',
    ],
  ])('%s, from a server that sends even that', async (_name, entries, code) => {
    const commit = await committed(await entries());
    const reader = await openCommit(world.bare, { place: 'sample', commit, maxFileBytes: 1_000_000 });

    const outcome = await attack({ files: {}, reader });

    expect(outcome.code).toBe(code);
  });
});
