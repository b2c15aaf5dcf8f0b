import fc from 'fast-check';
import type { Application } from '../../lib/model/application.ts';
import type { ApplicationId, ClusterName, RootId, SourceId } from '../../lib/model/ids.ts';
import { unpackArtefact, packArtefact } from '../../lib/source/artefact.ts';
import { inputClosure, type Closure } from '../../lib/source/closure.ts';
import { memoizedReader } from '../../lib/source/memoized-reader.ts';
import { memoryCommit, type MemoryFile } from '../support/memory-commit.ts';

type Files = Readonly<Record<string, MemoryFile>>;

function anApplication(overrides: Partial<Application> = {}): Application {
  return {
    id: 'i/r/holdfast/default/app' as ApplicationId,
    root: 'r' as RootId,
    dialect: 'holdfast',
    namespace: 'default',
    name: 'app',
    source: 'sample' as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path: 'app',
    render: { tool: 'auto' },
    destinations: [{ cluster: 'one' as ClusterName }],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
    ...overrides,
  };
}

function closureOf(files: Files, overrides: Partial<Application> = {}, salt = ['v1']): Promise<Closure> {
  return inputClosure({ reader: memoryCommit(files), application: anApplication(overrides), salt });
}

function filesOf(closure: Closure): readonly string[] {
  return closure.entries.filter(({ type }) => type === 'blob').map(({ path }) => path);
}

async function refusal(
  files: Files,
  overrides: Partial<Application> = {},
): Promise<{ code: string; message: string }> {
  return closureOf(files, overrides).then(
    () => ({ code: 'none', message: 'was taken' }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );
}

describe('a plain directory', () => {
  it('gives manifests of all depths, and neither other files nor nested kustomizations', async () => {
    const closure = await closureOf({
      'app/a.yaml': 'a',
      'app/deep/er/b.yml': 'b',
      'app/c.json': '{}',
      'app/README.md': '#',
      'app/nested/kustomization.yaml': 'resources: [https://example.com/x]',
      'app/nested/d.yaml': 'd',
      'other/e.yaml': 'e',
    });

    expect(filesOf(closure)).toEqual(['app/a.yaml', 'app/c.json', 'app/deep/er/b.yml', 'app/nested/d.yaml']);
  });

  it('counts a new file of any kind, and nothing outside', async () => {
    const files = { 'app/a.yaml': 'a', 'other/b.yaml': 'b' };
    const before = await closureOf(files);

    const outside = await closureOf({ ...files, 'other/b.yaml': 'changed', 'other/c.yaml': 'new' });
    const inside = await closureOf({ ...files, 'app/new.yaml': 'new' });

    expect(outside.digest).toBe(before.digest);
    expect(inside.digest).not.toBe(before.digest);
  });

  it('takes the whole repository, and a single file', async () => {
    const files = { 'a.yaml': 'a', 'dir/b.yaml': 'b' };

    expect(filesOf(await closureOf(files, { path: '.' }))).toEqual(['a.yaml', 'dir/b.yaml']);
    expect(filesOf(await closureOf(files, { path: 'dir/b.yaml' }))).toEqual(['dir/b.yaml']);
    expect(filesOf(await closureOf(files, { path: './dir/' }))).toEqual(['dir/b.yaml']);
  });

  it('takes a directory without manifests as empty, which is not the same as missing', async () => {
    expect(filesOf(await closureOf({ 'app/README.md': '#' }))).toEqual([]);
  });
});

describe('the digest', () => {
  it('covers the definition and the salt', async () => {
    const files = { 'app/a.yaml': 'a' };
    const before = await closureOf(files);

    const same = await closureOf(files);
    const otherDefinition = await closureOf(files, { targetNamespace: 'web' });
    const otherTools = await closureOf(files, {}, ['v2']);

    expect(same.digest).toBe(before.digest);
    expect(otherDefinition.digest).not.toBe(before.digest);
    expect(otherTools.digest).not.toBe(before.digest);
  });

  it('does not depend on the order in which a definition was built', async () => {
    const definition = anApplication();
    const reversed = Object.fromEntries(Object.entries(definition).reverse()) as unknown as Application;
    const reader = memoryCommit({ 'app/a.yaml': 'a' });

    const one = await inputClosure({ reader, application: definition, salt: [] });
    const other = await inputClosure({ reader, application: reversed, salt: [] });

    expect(other.digest).toBe(one.digest);
  });

  it.each([
    [
      'kustomization.yml beside kustomization.yaml’s place',
      { 'app/a.yaml': 'a' },
      'app/Kustomization',
      'resources: [a.yaml]',
    ],
    ['Chart.yaml in a plain directory', { 'app/a.yaml': 'a' }, 'app/Chart.yaml', 'name: x'],
    [
      'the file that a plug-in would read',
      {
        'app/kustomization.yaml': 'transformers: [t.yaml]',
        'app/t.yaml': 'apiVersion: builtin\nkind: PatchTransformer\npath: p.yaml',
      },
      'app/p.yaml',
      'x',
    ],
  ])('changes when something appears that was looked for: %s', async (_, files, path, content) => {
    const before = await closureOf(files);

    const after = await closureOf({ ...(files as unknown as Files), [path]: content });

    expect(after.digest).not.toBe(before.digest);
  });
});

describe('a kustomization', () => {
  const references: readonly [string, string, Files, readonly string[]][] = [
    ['resources (file)', 'resources: [a.yaml]', { 'app/a.yaml': '' }, ['app/a.yaml']],
    [
      'resources (directory)',
      'resources: [../base]',
      { 'base/kustomization.yml': 'resources: [b.yaml]', 'base/b.yaml': '' },
      ['base/b.yaml', 'base/kustomization.yml'],
    ],
    ['bases', 'bases: [../base/]', { 'base/Kustomization': '' }, ['base/Kustomization']],
    [
      'components',
      'components: [../part]',
      { 'part/kustomization.yaml': 'kind: Component\npatches: [{path: p.yaml}]', 'part/p.yaml': '' },
      ['part/kustomization.yaml', 'part/p.yaml'],
    ],
    ['patches', 'patches: [{path: p.yaml}, {patch: "a: b"}]', { 'app/p.yaml': '' }, ['app/p.yaml']],
    [
      'patchesStrategicMerge',
      'patchesStrategicMerge: [p.yaml, "{kind: X}", "a: 1\\nb: 2"]',
      { 'app/p.yaml': '' },
      ['app/p.yaml'],
    ],
    [
      'patchesJson6902',
      'patchesJson6902: [{target: {kind: X}, path: p.json}]',
      { 'app/p.json': '' },
      ['app/p.json'],
    ],
    [
      'configMapGenerator',
      'configMapGenerator: [{name: x, files: [f.txt, key=g.txt], envs: [e.env], literals: [a=https://x]}]',
      { 'app/f.txt': '', 'app/g.txt': '', 'app/e.env': '' },
      ['app/e.env', 'app/f.txt', 'app/g.txt'],
    ],
    ['secretGenerator', 'secretGenerator: [{name: x, env: e.env}]', { 'app/e.env': '' }, ['app/e.env']],
    ['configurations', 'configurations: [c.yaml]', { 'app/c.yaml': '' }, ['app/c.yaml']],
    ['crds', 'crds: [c.json]', { 'app/c.json': '' }, ['app/c.json']],
    ['openapi', 'openapi: {path: o.json}', { 'app/o.json': '' }, ['app/o.json']],
    ['openapi by version', 'openapi: {version: v1.20.4}', {}, []],
    [
      'replacements',
      'replacements: [{path: r.yaml}, {source: {kind: X}}]',
      { 'app/r.yaml': '' },
      ['app/r.yaml'],
    ],
    [
      'generators, relative to the kustomization',
      'generators: [plug/g.yaml]',
      {
        'app/plug/g.yaml': 'apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [x=f.txt]',
        'app/f.txt': '',
      },
      ['app/f.txt', 'app/plug/g.yaml'],
    ],
    [
      'transformers inline',
      'transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  path: p.yaml',
      { 'app/p.yaml': '' },
      ['app/p.yaml'],
    ],
    ['validators', 'validators: [v.yaml]', { 'app/v.yaml': 'apiVersion: builtin\nkind: X' }, ['app/v.yaml']],
    [
      'anchors and merge keys',
      'x: &a [a.yaml]\n'.replace('x: ', 'metadata: ') + 'resources: *a',
      { 'app/a.yaml': '' },
      ['app/a.yaml'],
    ],
  ];

  it.each(references)('is followed through %s', async (_, text, files, expected) => {
    const all = { ...files, 'app/kustomization.yaml': text, 'app/unread.yaml': '' };

    const closure = await closureOf(all);

    expect(filesOf(closure)).toEqual([...expected, 'app/kustomization.yaml'].sort());
  });

  it.each(references.filter(([, , files]) => Object.keys(files).length > 0))(
    'changes its digest with each file behind %s',
    async (_, text, files) => {
      const all = { ...files, 'app/kustomization.yaml': text };
      const before = await closureOf(all);

      for (const path of Object.keys(files)) {
        const after = await closureOf({ ...all, [path]: `${String(files[path])}\n# changed` });
        expect(after.digest).not.toBe(before.digest);
      }
    },
  );

  it('reads a base that is used twice once, and is not confused with a circle', async () => {
    const closure = await closureOf({
      'app/kustomization.yaml': 'resources: [../a, ../b]',
      'a/kustomization.yaml': 'resources: [../base]',
      'b/kustomization.yaml': 'resources: [../base]',
      'base/kustomization.yaml': 'namePrefix: x',
    });

    expect(filesOf(closure)).toHaveLength(4);
  });

  it('notes the other names under which kustomize would have looked', async () => {
    const closure = await closureOf({ 'app/kustomization.yml': '' });

    const absent = closure.entries.filter(({ type }) => type === 'absent').map(({ path }) => path);
    expect(absent.filter((path) => !path.endsWith('ignore'))).toEqual([
      'app/Kustomization',
      'app/kustomization.yaml',
    ]);
  });

  it.each([
    [
      'a circle',
      { 'app/kustomization.yaml': 'resources: [../b]', 'b/kustomization.yaml': 'resources: [../app]' },
      /circle: app → b → app/,
    ],
    ['itself', { 'app/kustomization.yaml': 'resources: [./]' }, /circle: app → app/],
    [
      'an https resource',
      { 'app/kustomization.yaml': 'resources: [https://example.com/x.yaml]' },
      /resources\[0\].*remote/,
    ],
    [
      'a credential in a URL',
      { 'app/kustomization.yaml': 'resources: ["https://u:secret@example.com/x"]' },
      /^(?!.*secret)/,
    ],
    ['a git base', { 'app/kustomization.yaml': 'bases: ["git@example.com:a/b"]' }, /bases\[0\].*remote/],
    ['a GitHub short form', { 'app/kustomization.yaml': 'components: [github.com/a/b]' }, /remote/],
    [
      'a GitHub short form that exists as a directory too',
      { 'app/kustomization.yaml': 'resources: [github.com/a]', 'app/github.com/a/kustomization.yaml': '' },
      /remote/,
    ],
    ['a ref in a query', { 'app/kustomization.yaml': 'resources: ["host/a/b?ref=v1"]' }, /remote/],
    [
      'a remote configuration',
      { 'app/kustomization.yaml': 'configurations: [http://x/y]' },
      /configurations\[0\].*remote/,
    ],
    [
      'a remote openapi',
      { 'app/kustomization.yaml': 'openapi: {path: "http://x/y"}' },
      /openapi\.path.*remote/,
    ],
    [
      'a remote patch',
      { 'app/kustomization.yaml': 'patches: [{path: "http://x/y"}]' },
      /patches\[0\]\.path.*remote/,
    ],
    [
      'a remote generator file',
      { 'app/kustomization.yaml': 'configMapGenerator: [{files: ["k=http://x/y"]}]' },
      /remote/,
    ],
    [
      'a remote path in a plug-in',
      {
        'app/kustomization.yaml': 'transformers: [t.yaml]',
        'app/t.yaml': 'apiVersion: builtin\npath: http://x/y',
      },
      /remote/,
    ],
    ['an absolute path', { 'app/kustomization.yaml': 'resources: [/etc/passwd]' }, /not a relative path/],
    [
      'a path out of the repository',
      { 'app/kustomization.yaml': 'resources: [../../x]' },
      /leads out of the repository/,
    ],
    [
      'a field in other case',
      { 'app/kustomization.yaml': 'Resources: [a.yaml]', 'app/a.yaml': '' },
      /case-sensitive/,
    ],
    [
      'a member in other case',
      { 'app/kustomization.yaml': 'patches: [{Path: "http://x"}]' },
      /write it as "path"/,
    ],
    [
      'a member in disguise',
      { 'app/kustomization.yaml': 'configMapGenerator: [{fileſ: [a]}]' },
      /write it as "files"/,
    ],
    ['a path that is no text', { 'app/kustomization.yaml': 'resources: [{a: b}]' }, /expected a path/],
    [
      'a file that is not there',
      { 'app/kustomization.yaml': 'resources: [a.yaml]' },
      /app\/a.yaml does not exist/,
    ],
    [
      'a directory without kustomization',
      { 'app/kustomization.yaml': 'resources: [d]', 'app/d/a.yaml': '' },
      /holds no kustomization/,
    ],
    ['charts', { 'app/kustomization.yaml': 'helmCharts: [{name: x}]' }, /its own Application/],
    ['two kustomizations', { 'app/kustomization.yaml': '', 'app/Kustomization': '' }, /only one/],
    ['a list that is none', { 'app/kustomization.yaml': 'resources: a.yaml' }, /expected a list/],
    ['broken YAML', { 'app/kustomization.yaml': 'resources: [' }, /not valid YAML/],
    ['an alias bomb', { 'app/kustomization.yaml': aliasBomb() }, /aliases expand/],
    ['what is not UTF-8', { 'app/kustomization.yaml': new Uint8Array([0xff, 0xfe]) }, /UTF-8/],
    [
      'a symlink as resource',
      { 'app/kustomization.yaml': 'resources: [a.yaml]', 'app/a.yaml': { type: 'symlink' } },
      /symbolic/,
    ],
    [
      'a symlink on the way',
      { 'app/kustomization.yaml': 'resources: [l/a.yaml]', 'app/l': { type: 'symlink' } },
      /app\/l: symlink/,
    ],
    [
      'a submodule as base',
      { 'app/kustomization.yaml': 'resources: [m]', 'app/m': { type: 'submodule' } },
      /submodule/,
    ],
  ] as readonly [string, Files, RegExp][])('refuses %s', async (_, files, message) => {
    const refused = await refusal(files);

    expect(refused.code).toBe('render-refused');
    expect(refused.message).toMatch(message);
  });
});

describe('inputClosure', () => {
  it.each(['nowhere', 'app/a.yaml/b', 'ap'])(
    'rejects the path "%s" that is not in the commit',
    async (path) => {
      expect((await refusal({ 'app/a.yaml': '' }, { path })).code).toBe('path-missing');
    },
  );

  it.each(['../app', '/app', 'app/../..', 'app\\x'])('refuses the path "%s"', async (path) => {
    expect((await refusal({ 'app/a.yaml': '' }, { path })).code).toBe('render-refused');
  });

  it('refuses helm where there is nothing for it', async () => {
    const refused = await refusal({ 'app/a.yaml': '' }, { render: { tool: 'helm' } });

    expect(refused.message).toMatch(/Chart.yaml.*does not exist/);
  });

  it('takes plain where a kustomization lies if it is told to', async () => {
    const files = { 'app/kustomization.yaml': 'resources: []', 'app/a.yaml': '' };

    expect(filesOf(await closureOf(files, { render: { tool: 'plain' } }))).toEqual(['app/a.yaml']);
  });

  it.each(['symlink', 'submodule'] as const)('refuses a %s in a plain directory', async (type) => {
    expect((await refusal({ 'app/a.yaml': '', 'app/x/y': { type } })).message).toMatch(`app/x/y: ${type}`);
  });

  it('rejects more files than the limit', async () => {
    const files = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`app/${index}.yaml`, '']));

    const closure = inputClosure({
      reader: memoryCommit(files),
      application: anApplication(),
      salt: [],
      limits: { maxFiles: 10 },
    });

    await expect(closure).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('comes to an end on a tree that contains itself over and over', async () => {
    const inner = memoryCommit({ 'app/a.md': '' });
    const [leaf] = await inner.readTree(inner.rootTree);
    const reader = {
      ...inner,
      readTree: async () =>
        Array.from({ length: 10 }, (_, index) => ({
          ...leaf,
          name: `d${index}`,
          type: 'tree' as const,
          oid: '',
        })),
    };

    const closure = inputClosure({
      reader,
      application: anApplication({ path: 'd1' }),
      salt: [],
      limits: { maxFiles: 100 },
    });

    await expect(closure).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('reads each tree and kustomization of a commit once for 500 applications', async () => {
    const files: Record<string, string> = { 'base/kustomization.yaml': 'namePrefix: x' };
    for (let index = 0; index < 500; index += 1) {
      files[`apps/${index}/kustomization.yaml`] = `namePrefix: p${index}\nresources: [../../base]`;
    }
    const commit = memoryCommit(files);
    const reader = memoizedReader(commit);

    for (let index = 0; index < 500; index += 1) {
      await inputClosure({ reader, application: anApplication({ path: `apps/${index}` }), salt: [] });
    }

    expect(new Set(commit.reads).size).toBe(commit.reads.length);
  });

  it('changes with every change in the closure, and with none outside of it', async () => {
    const files: Record<string, string> = {
      'app/kustomization.yaml':
        'resources: [a.yaml, ../base]\nconfigMapGenerator: [{name: c, files: [f.txt]}]',
      'app/a.yaml': 'a',
      'app/f.txt': 'f',
      'app/unread.yaml': 'u',
      'base/kustomization.yaml': 'resources: [b.yaml]',
      'base/b.yaml': 'b',
      'base/README.md': 'r',
      'other/x.yaml': 'x',
    };
    const before = await closureOf(files);
    const read = new Set(filesOf(before));
    const looked = new Set(before.entries.map(({ path }) => path));
    const outside = Object.keys(files).filter((path) => !read.has(path));
    const name = fc.stringMatching(/^[a-z]{1,8}\.(yaml|md|yml)$/);

    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...read),
        fc.constantFrom(...outside),
        fc.constantFrom('app/', 'base/', 'other/', 'new/', ''),
        name,
        fc.string(),
        async (inside, beside, directory, added, content) => {
          fc.pre(!looked.has(`${directory}${added}`));
          const quiet = await closureOf({ ...files, [beside]: content, [`${directory}${added}`]: content });
          const loud = await closureOf({
            ...files,
            [inside]: `${files[inside]}\n#${content.replace(/[^a-z]/g, '')}`,
          });

          expect(quiet.digest).toBe(before.digest);
          expect(loud.digest).not.toBe(before.digest);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives an artefact with exactly its files', async () => {
    const files = { 'app/a.yaml': 'a: ä', 'app/deep/b.json': '{}', 'app/notes.md': 'n', 'other/c.yaml': 'c' };
    const reader = memoryCommit(files);
    const closure = await inputClosure({ reader, application: anApplication(), salt: [] });

    const { digest, bytes } = await packArtefact(closure);
    const tree = unpackArtefact(digest, bytes);

    expect(tree.paths).toEqual(['app/a.yaml', 'app/deep/b.json']);
    expect(Buffer.from(tree.read('app/a.yaml') ?? '').toString()).toBe('a: ä');
    expect(tree.read('app/notes.md')).toBeUndefined();
  });
});

function aliasBomb(): string {
  const levels = Array.from(
    { length: 9 },
    (_, index) => `x${index + 1}: &x${index + 1} [${Array(9).fill(`*x${index}`)}]`,
  );
  return ['x0: &x0 [a]', ...levels].join('\n');
}
