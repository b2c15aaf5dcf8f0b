import fc from 'fast-check';

import { HoldfastError } from '../../lib/model/errors.ts';
import type { Application } from '../../lib/model/application.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure, walkInputs } from '../../lib/source/closure.ts';
import { fileTreeReader } from '../../lib/source/file-tree.ts';
import { memoryCommit, type MemoryFile } from '../support/memory-commit.ts';
import { anApplication } from './rendering.ts';

type Files = Readonly<Record<string, MemoryFile>>;

/** In CI there is no time for more; a failure prints its seed. */
const BUDGET = { numRuns: 300, interruptAfterTimeLimit: 2_000, markInterruptAsFailure: false } as const;

const directories = ['app', 'app/sub', 'base', 'base/deep', 'part'];
const names = ['a.yaml', 'b.yaml', 'f.txt', 'e.env', 'plug.yaml'];

/** What an entry may say: mostly something that is there, now and then anything. */
const entry = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(...names, 'sub', '../base', '../part', 'deep', '../app', '.', 'sub/a.yaml'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '..',
      '../..',
      '../../x',
      '/etc/passwd',
      'a.yaml/b',
      'link',
      'https://example.com/x',
      'github.com/o/r//p?ref=v1',
      'git::https://example.com/o/r',
      'file:///etc',
      'user@host/o/r',
      'a\\b',
      'a\0b',
      '',
      '{}',
      'x\ny',
      'k=f.txt',
      '=',
      'k=',
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
);
const anything = fc.jsonValue({ maxDepth: 2 });
const list = (item: fc.Arbitrary<unknown>) => fc.array(item, { maxLength: 3 });
const rarely = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 4 });

const generator = fc.record(
  { name: fc.constant('g'), files: list(entry), envs: list(entry), env: entry, literals: list(entry) },
  { requiredKeys: [] },
);
const patch = fc.record(
  { path: entry, patch: fc.constantFrom('a: b', '[', '{kind: Secret}') },
  { requiredKeys: [] },
);
const plugin = fc
  .record(
    {
      apiVersion: fc.constantFrom('builtin', 'builtin', 'example.com/v1'),
      kind: fc.constantFrom('PatchTransformer', 'SecretGenerator', 'HelmChartInflationGenerator'),
      path: entry,
      paths: list(entry),
      files: list(entry),
      nested: fc.record({ path: entry }, { requiredKeys: [] }),
    },
    { requiredKeys: ['apiVersion'] },
  )
  .map((value) => JSON.stringify(value));

const kustomization = fc
  .record(
    {
      resources: rarely(list(entry)),
      bases: rarely(list(entry)),
      components: rarely(list(entry)),
      crds: rarely(list(entry)),
      configurations: rarely(list(entry)),
      patches: rarely(list(patch)),
      patchesStrategicMerge: rarely(list(entry)),
      replacements: rarely(list(patch)),
      openapi: rarely(patch),
      configMapGenerator: rarely(list(generator)),
      secretGenerator: rarely(list(generator)),
      transformers: rarely(list(fc.oneof(entry, plugin))),
      generators: rarely(list(fc.oneof(entry, plugin))),
      namePrefix: rarely(anything),
      images: rarely(anything),
      imageTags: rarely(anything),
      helmCharts: fc.option(anything, { nil: undefined, freq: 20 }),
      Resources: fc.option(list(entry), { nil: undefined, freq: 20 }),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value));

const kustomizationFile = fc.constantFrom('kustomization.yaml', 'kustomization.yml', 'Kustomization');

/** A commit with a kustomization in most directories, and files beside them. */
const repository = fc
  .record({
    kustomizations: fc.array(fc.tuple(fc.constantFrom(...directories), kustomizationFile, kustomization), {
      minLength: 1,
      maxLength: 6,
    }),
    plugins: fc.array(fc.tuple(fc.constantFrom(...directories), plugin), { maxLength: 2 }),
    odd: fc.constantFrom<MemoryFile>('', '\u0000', { type: 'symlink' }, { type: 'submodule' }),
  })
  .map(
    ({ kustomizations, plugins, odd }): Files => ({
      ...Object.fromEntries(
        directories.flatMap((directory) => names.map((name) => [`${directory}/${name}`, `# ${name}\n`])),
      ),
      ...Object.fromEntries(plugins.map(([directory, text]) => [`${directory}/plug.yaml`, text])),
      ...Object.fromEntries(kustomizations.map(([directory, name, text]) => [`${directory}/${name}`, text])),
      'app/link': odd,
    }),
  );

const dependency = fc.record(
  {
    name: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('x', 'near', 'far') },
      { weight: 1, arbitrary: anything },
    ),
    version: fc.constantFrom('1.0.0', '*', 1, null),
    repository: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom('file://../near', 'file://../far', '', 'file://../app', 'file://.'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          'https://x.test',
          'oci://x.test',
          '@x',
          'file:///etc',
          'file://../../..',
          'ext::sh',
          'file://\0',
        ),
      },
      { weight: 1, arbitrary: anything },
    ),
    alias: anything,
    condition: anything,
    tags: anything,
    'import-values': anything,
  },
  { requiredKeys: ['name'] },
);
const chartYaml = fc
  .record(
    {
      apiVersion: fc.constantFrom('v1', 'v2'),
      name: fc.constantFrom('x', 'near', 'far', 'app'),
      version: fc.constant('1.0.0'),
      dependencies: fc.oneof({ weight: 6, arbitrary: list(dependency) }, { weight: 1, arbitrary: anything }),
    },
    { requiredKeys: ['name'] },
  )
  .map((value) => JSON.stringify(value));
const lock = fc
  .record(
    { dependencies: fc.oneof(list(dependency), anything), digest: fc.oneof(fc.string(), anything) },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value));

const charts = fc
  .array(
    fc.oneof(
      fc.tuple(
        fc.constantFrom('app', 'near', 'far', 'app/charts/x', 'app/charts/near', 'near/charts/far'),
        fc.constantFrom('Chart.yaml', 'requirements.yaml'),
        chartYaml,
      ),
      fc.tuple(fc.constantFrom('app', 'near'), fc.constantFrom('Chart.lock', 'requirements.lock'), lock),
      fc.tuple(
        fc.constantFrom('app', 'near'),
        fc.constantFrom(
          'values.yaml',
          'values.schema.json',
          '.helmignore',
          'charts/x.tgz',
          'templates/t.yaml',
        ),
        fc.constantFrom('a: 1', '*', '[', '!a', '\u0000'),
      ),
    ),
    { minLength: 2, maxLength: 10 },
  )
  .map(
    (files): Files => ({
      'app/Chart.yaml': JSON.stringify({ apiVersion: 'v2', name: 'app', version: '1.0.0' }),
      ...Object.fromEntries(files.map(([directory, name, text]) => [`${directory}/${name}`, text])),
    }),
  );

const options = fc.constantFrom<Application['render']>(
  { tool: 'auto' },
  { tool: 'kustomize' },
  { tool: 'kustomize', kustomize: { components: ['../part'], ignoreMissingComponents: true } },
  { tool: 'helm' },
  {
    tool: 'helm',
    helm: { valuesFiles: ['values.yaml', '../near/values.yaml'], ignoreMissingValuesFiles: true },
  },
  { tool: 'plain' },
);

/** Ours, or what was asked for. */
async function orError<T>(asked: Promise<T>): Promise<T | HoldfastError> {
  return await asked.catch((error: unknown) => {
    if (error instanceof HoldfastError) return error;
    throw error;
  });
}

/** @returns whether there was something to follow */
async function check(files: Files, render: Application['render']): Promise<boolean> {
  const application = anApplication({ render });
  const closure = await orError(inputClosure({ reader: memoryCommit(files), application, salt: [] }));
  if (closure instanceof HoldfastError) {
    expect(closure.code).toMatch(/^(?:render|chart|git|path)-/);
    expect(closure.retryable).toBe(false);
    return false;
  }
  const taken = closure.entries.filter(({ type }) => type === 'blob').map(({ path }) => path);
  const there = Object.keys(files);
  expect(taken.filter((path) => !there.includes(path))).toEqual([]);
  const { digest, bytes } = await packArtefact(closure);
  const tree = unpackArtefact(digest, bytes);
  expect(tree.paths).toEqual([...taken].sort());
  const again = await orError(walkInputs({ reader: fileTreeReader(tree), application, isArtefact: true }));
  // An artefact lacks what is not read, so a directory may be missing that only held that; nothing else differs.
  if (again instanceof HoldfastError || again === undefined) expect(taken).toEqual([]);
  else
    expect(again.entries.flatMap(({ type, path }) => (type === 'blob' ? [path] : [])).sort()).toEqual(
      tree.paths,
    );
  return true;
}

/** Otherwise the refusals alone would have been tested. */
const ENOUGH = 5;

async function checkAll(repositories: fc.Arbitrary<Files>): Promise<number> {
  let followed = 0;
  const property = fc.asyncProperty(repositories, options, async (files, render) => {
    if (await check(files, render)) followed += 1;
  });
  await fc.assert(property, BUDGET);
  return followed;
}

describe('a walk over several directories', () => {
  it('of any kustomizations stays in the commit, and sees in the artefact what it saw in the commit', async () => {
    expect(await checkAll(repository)).toBeGreaterThan(ENOUGH);
  });

  it('of any charts stays in the commit, and sees in the artefact what it saw in the commit', async () => {
    expect(await checkAll(charts)).toBeGreaterThan(ENOUGH);
  });
});
