import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure, walkInputs, type Closure } from '../../lib/source/closure.ts';
import { fileTreeReader } from '../../lib/source/file-tree.ts';
import { anApplication } from '../render/rendering.ts';
import { memoryCommit, type MemoryFile } from '../support/memory-commit.ts';

type Facts = Parameters<typeof anApplication>[0];
type Files = Readonly<Record<string, MemoryFile>>;

function closureOf(files: Files, facts: Facts = {}): Promise<Closure> {
  return inputClosure({ reader: memoryCommit(files), application: anApplication(facts), salt: [] });
}

async function manifestsOf(files: Files, facts: Facts = {}): Promise<readonly string[]> {
  const { entries } = await closureOf(files, facts);
  return entries.flatMap(({ type, path }) => (type === 'blob' && !path.endsWith('ignore') ? [path] : []));
}

const PLAIN = { 'app/a.yaml': 'a', 'app/b/b.yaml': 'b', 'app/b/c.txt': 'c' };

describe('ignore files', () => {
  it.each(['.sourceignore', '.holdfastignore'])(
    'as %s leave out files at the root and below it',
    async (name) => {
      const files = { ...PLAIN, 'app/d.yaml': 'd', [name]: '/app/d.yaml\n', [`app/b/${name}`]: '*.yaml\n' };

      expect(await manifestsOf(files)).toEqual(['app/a.yaml']);
    },
  );

  it('count from above to below, ours after that of Flux', async () => {
    const files = {
      ...PLAIN,
      '.sourceignore': '*.yaml',
      '.holdfastignore': '!a.yaml',
      'app/b/.sourceignore': '!b.yaml',
    };

    expect(await manifestsOf(files)).toEqual(['app/a.yaml', 'app/b/b.yaml']);
  });

  it('are no manifests, even where a glob names them', async () => {
    const files = { ...PLAIN, 'app/.sourceignore': 'b' };

    const manifests = await manifestsOf(files, { render: { tool: 'plain', plain: { include: ['**'] } } });

    expect(manifests).toEqual(['app/a.yaml']);
  });

  it('let a symlink and a submodule lie where they are left out', async () => {
    const files: Files = { ...PLAIN, 'app/link': { type: 'symlink' }, 'app/m': { type: 'submodule' } };

    const manifests = await manifestsOf({ ...files, '.sourceignore': 'link\n/app/m\n' });

    expect(manifests).toEqual(['app/a.yaml', 'app/b/b.yaml']);
  });

  it('leave a whole directory unread', async () => {
    const commit = memoryCommit({ ...PLAIN, 'app/big/x/y.yaml': '', '.sourceignore': 'big/' });
    const tree = async (oid: string, name: string) =>
      (await commit.readTree(oid)).find((entry) => entry.name === name)?.oid ?? '';
    const big = await tree(await tree(commit.rootTree, 'app'), 'big');
    commit.reads.length = 0;

    await inputClosure({ reader: commit, application: anApplication(), salt: [] });

    expect(commit.reads).not.toContain(big);
  });

  it('change the closure when they appear or change, in any directory on the way', async () => {
    const kustomized = {
      'app/kustomization.yaml': 'resources: [../base/x]',
      'base/x/kustomization.yaml': '',
    };
    const variants = ['app/.sourceignore', '.holdfastignore', 'base/.sourceignore', 'base/x/.sourceignore'];

    const digests = await Promise.all(
      [{}, ...variants.map((name) => ({ [name]: 'unrelated' })), { 'app/.sourceignore': 'other' }].map(
        async (extra) => (await closureOf({ ...kustomized, ...extra })).digest,
      ),
    );

    expect(new Set(digests).size).toBe(digests.length);
  });

  it('come with the artefact, which is walked to the same files', async () => {
    const files = { ...PLAIN, 'app/e.yaml': 'e', '.sourceignore': 'app/b/*\n!app/b/b.yaml\ne.yaml\n' };
    const closure = await closureOf(files);
    const artefact = await packArtefact(closure);
    const tree = unpackArtefact(artefact.digest, artefact.bytes);

    const walked = await walkInputs({
      reader: fileTreeReader(tree),
      application: anApplication(),
      isArtefact: true,
    });

    expect(tree.paths).toEqual(['.sourceignore', 'app/a.yaml', 'app/b/b.yaml']);
    expect([...(walked?.roles.keys() ?? [])].filter((path) => walked?.roles.get(path)?.has('yaml'))).toEqual([
      'app/a.yaml',
      'app/b/b.yaml',
    ]);
  });

  it('may leave nothing', async () => {
    expect(await manifestsOf({ ...PLAIN, '.sourceignore': '*.*' })).toEqual([]);
    expect(await manifestsOf({ ...PLAIN, '.sourceignore': '*' }, { path: '.' })).toEqual([]);
  });

  it.each([
    [
      'a resource',
      {
        'app/kustomization.yaml': 'resources: [a.yaml]',
        'app/a.yaml': '',
        'app/.sourceignore': '# x\na.yaml',
      },
      'app/kustomization.yaml: resources[0]: app/a.yaml does not count, app/.sourceignore:2 leaves it out',
    ],
    [
      'a base',
      {
        'app/kustomization.yaml': 'resources: [../base]',
        'base/kustomization.yaml': '',
        '.sourceignore': 'base/',
      },
      'app/kustomization.yaml: resources[0]: base does not count, .sourceignore:1 leaves it out',
    ],
    [
      'the path',
      { ...PLAIN, '.holdfastignore': '/*' },
      'path "app" does not count, .holdfastignore:1 leaves it out',
    ],
    [
      'a symlink as ignore file',
      { ...PLAIN, 'app/.sourceignore': { type: 'symlink' } },
      'app/.sourceignore: symlink: symbolic links are not followed',
    ],
    [
      'one that is no text',
      { ...PLAIN, '.sourceignore': new Uint8Array([0xff, 0xfe]) },
      '.sourceignore: content: not UTF-8 text',
    ],
    [
      'one that is too large',
      { ...PLAIN, '.sourceignore': '#'.repeat(65_537) },
      '.sourceignore: content: 65537 bytes, at most 65536 are read',
    ],
    [
      'too many patterns',
      { ...PLAIN, '.sourceignore': 'x\n'.repeat(2_001) },
      '.sourceignore: content: 2001 patterns here and in the directories above, at most 2000 are read',
    ],
  ] as readonly [string, Files, string][])('refuses %s', async (_, files, message) => {
    await expect(closureOf(files)).rejects.toThrow(message);
  });

  it('mean nothing in a directory of their name', async () => {
    expect(await manifestsOf({ ...PLAIN, '.sourceignore/a.yaml': '*' })).toEqual([
      'app/a.yaml',
      'app/b/b.yaml',
    ]);
  });
});

describe('the globs of a plain directory', () => {
  it('choose what is read, and the directory counts as a whole all the same', async () => {
    const facts = {
      render: { tool: 'plain', plain: { include: ['**/*.{yaml,txt}'], exclude: ['a.*'] } },
    } as const;

    const closure = await closureOf(PLAIN, facts);

    expect(
      closure.entries.filter(({ type }) => type !== 'absent').map(({ type, path }) => `${type} ${path}`),
    ).toEqual(['blob app/b/b.yaml', 'blob app/b/c.txt', 'tree app']);
  });

  it('do not look into directories where recursion is off', async () => {
    const files: Files = { ...PLAIN, 'app/b/link': { type: 'symlink' } };

    expect(await manifestsOf(files, { render: { tool: 'auto', plain: { recurse: false } } })).toEqual([
      'app/a.yaml',
    ]);
  });

  it('refuses those that are malformed', async () => {
    await expect(
      closureOf(PLAIN, { render: { tool: 'plain', plain: { exclude: ['[a'] } } }),
    ).rejects.toMatchObject({
      code: 'render-refused',
      message: expect.stringContaining('app: render.plain.exclude[0]: "[a" is malformed'),
    });
  });
});
