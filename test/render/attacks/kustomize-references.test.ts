import { configMap } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { attack, expectEnd, NEIGHBOUR, refused, withCanary } from './attack.ts';

const canary = withCanary();

const builtin = (kind: string, members: string) =>
  `apiVersion: builtin\nkind: ${kind}\nmetadata: {name: t}\n${members}\n`;

/** Every place in which a kustomization, or a plug-in's configuration at app/plugin.yaml, names a file or directory. */
const FIELDS: Readonly<Record<string, (entry: string) => Readonly<Record<string, string>>>> = {
  ...Object.fromEntries(
    Object.entries({
      resources: (entry: string) => `resources: [${entry}]`,
      bases: (entry: string) => `bases: [${entry}]`,
      components: (entry: string) => `components: [${entry}]`,
      crds: (entry: string) => `crds: [${entry}]`,
      configurations: (entry: string) => `configurations: [${entry}]`,
      'openapi.path': (entry: string) => `openapi: {path: ${entry}}`,
      'patches.path': (entry: string) => `patches: [{path: ${entry}}]`,
      patchesStrategicMerge: (entry: string) => `patchesStrategicMerge: [${entry}]`,
      'patchesJson6902.path': (entry: string) =>
        `patchesJson6902: [{path: ${entry}, target: {kind: ConfigMap, name: own, version: v1}}]`,
      'replacements.path': (entry: string) => `replacements: [{path: ${entry}}]`,
      generators: (entry: string) => `generators: [${entry}]`,
      transformers: (entry: string) => `transformers: [${entry}]`,
      validators: (entry: string) => `validators: [${entry}]`,
      'configMapGenerator.files': (entry: string) => `configMapGenerator: [{name: a, files: [${entry}]}]`,
      'configMapGenerator.files, with a key': (entry: string) =>
        `configMapGenerator: [{name: a, files: [${JSON.stringify(`k=${JSON.parse(entry)}`)}]}]`,
      'configMapGenerator.envs': (entry: string) => `configMapGenerator: [{name: a, envs: [${entry}]}]`,
      'configMapGenerator.env': (entry: string) => `configMapGenerator: [{name: a, env: ${entry}}]`,
      'secretGenerator.files': (entry: string) => `secretGenerator: [{name: a, files: [${entry}]}]`,
      'secretGenerator.envs': (entry: string) => `secretGenerator: [{name: a, envs: [${entry}]}]`,
    }).map(([name, write]) => [name, (entry: string) => ({ 'app/kustomization.yaml': write(entry) })]),
  ),
  ...Object.fromEntries(
    Object.entries({
      'path of a transformer': (entry: string) => builtin('PatchTransformer', `path: ${entry}`),
      'paths of a transformer': (entry: string) =>
        builtin('PatchStrategicMergeTransformer', `paths: [${entry}]`),
      'replacements.path of a transformer': (entry: string) =>
        builtin('ReplacementTransformer', `replacements: [{path: ${entry}}]`),
      'targetFilePath of a transformer': (entry: string) =>
        builtin('ValueAddTransformer', `value: x\ntargetFilePath: ${entry}\ntargets: [{fieldPath: data/x}]`),
    }).map(([name, write]) => [
      name,
      (entry: string) => ({
        'app/kustomization.yaml': 'resources: [own.yaml]\ntransformers: [plugin.yaml]\n',
        'app/plugin.yaml': write(entry),
      }),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({
      'files of a generator': (entry: string) => builtin('ConfigMapGenerator', `files: [${entry}]`),
      'files of a secret generator': (entry: string) => builtin('SecretGenerator', `files: [${entry}]`),
      'envs of a generator': (entry: string) => builtin('ConfigMapGenerator', `envs: [${entry}]`),
    }).map(([name, write]) => [
      name,
      (entry: string) => ({
        'app/kustomization.yaml': 'resources: [own.yaml]\ngenerators: [plugin.yaml]\n',
        'app/plugin.yaml': write(entry),
      }),
    ]),
  ),
};

/** CVE-2022-24877 (kustomization.yaml reads the controller's files), CVE-2022-24730, CVE-2022-24731, CVE-2023-40026. */
const PLACES: Readonly<Record<string, () => string>> = {
  'a file outside of the repository, by ../': () => `../../../../../../../..${canary().file}`,
  'a file outside of the repository, by an absolute path': () => canary().file,
  'a file outside of the repository, by a detour': () => `x/../../../../../../../../..${canary().file}`,
  'the environment of the tool': () => '/proc/self/environ',
  'the environment of process 1': () => '../../../../../../proc/1/environ',
  'the environment of this process': () => `/proc/${process.pid}/environ`,
  'a file:// URL': () => `file://${canary().file}`,
  'a scheme look-alike': () => `FILE:${canary().file}`,
  'a path with backslashes': () => `..\\..\\..${canary().file.replaceAll('/', '\\')}`,
  'a path with a NUL': () => `own.yaml\0${canary().file}`,
  'a path with a line feed': () => `${canary().file}\n`,
  'a URL of the function’s runtime': () => `${canary().url}/2018-06-01/runtime/invocation/next`,
  'a URL in capitals': () => canary().url.replace('http', 'HTTP'),
  'a URL without slashes': () => canary().url.replace('http://', 'http:'),
  'a URL behind a blank': () => ` ${canary().url}/x.yaml`,
  'a URL without a scheme': () => canary().url.replace('http:', ''),
  'a Git URL behind git::': () => `git::${canary().url}/org/repo`,
  'a Git URL of ext::': () => `ext::sh -c cat${canary().file}`,
  'a Git URL over ssh': () => 'ssh://git@127.0.0.1/org/repo',
  'a Git URL in the form of scp': () => 'git@127.0.0.1:org/repo',
  'a Git URL with a user and slashes': () => 'git@github.com/org/repo',
  'a Git URL with a query': () => 'org/repo?ref=main',
  'a Git ref that is an option': () => `${canary().url}/o/r?ref=--upload-pack=touch`,
};

/** A plug-in's `path` may be a field of an object as well, so of some places only the tool itself finds that they lead out. */
const isPlugin = (field: string) => field.includes(' of a ');
const FOR_PLUGINS = /^a file outside|environment of the tool|file:\/\/|NUL|runtime|git::|blank/;

const ROWS = Object.keys(FIELDS).flatMap((field) =>
  Object.keys(PLACES)
    .filter((place) => !isPlugin(field) || FOR_PLUGINS.test(place))
    .map((place) => [field, place] as const),
);

withTools(`a kustomization is refused${whySkipped}`, () => {
  it.each(ROWS)('that names in %s %s', async (field, place) => {
    const entry = JSON.stringify(PLACES[place]?.() ?? '');
    const files = { 'app/own.yaml': configMap('own'), ...FIELDS[field]?.(entry) };

    const { code, message } = await attack({ files });

    // What has a line feed may be a patch itself, and as one it is nothing.
    const maybeTool = isPlugin(field) || place.includes('line feed');
    expect(code).toMatch(maybeTool ? /^render-(?:refused|failed)$/ : /^render-refused$/);
    expect(message).toMatch(/^app\/(?:kustomization|plugin).yaml: |^app: kubectl kustomize failed/);
  });

  it.each(Object.keys(FIELDS))('that shows a file of its neighbour by %s', async (field) => {
    const entry = JSON.stringify(`../${NEIGHBOUR}`);
    const files = { 'app/own.yaml': configMap('own'), ...FIELDS[field]?.(entry) };

    const { code, message } = await attack({ files });

    expect(code).toMatch(/^render-(?:refused|failed)$/);
    expect(message).toMatch(
      /^(?:app\/kustomization|neighbour\/canary).yaml: |^app: kubectl kustomize failed/,
    );
  });

  it.each(Object.keys(FIELDS).filter((field) => !isPlugin(field)))(
    'that names a symbolic link in %s',
    async (field) => {
      const files = {
        'app/own.yaml': configMap('own'),
        'app/link': { type: 'symlink' as const },
        ...FIELDS[field]?.('"link"'),
      };

      await expectEnd({ files }, refused('symbolic links are not followed'));
    },
  );
});

describe('globs of a plain directory', () => {
  it.each([
    '../**',
    '/**',
    '**/../../*',
    './a.yaml',
    'a//b',
    `../${NEIGHBOUR}`,
    '[',
    `{${'a,'.repeat(300)}}`,
  ])('are refused: %j', async (glob) => {
    const files = { 'app/own.yaml': configMap('own') };

    for (const field of ['include', 'exclude']) {
      const facts = { render: { tool: 'plain' as const, plain: { [field]: [glob.slice(0, 1_000)] } } };
      await expectEnd({ files, facts }, refused(`render.plain.${field}[0]`));
    }
  });

  it('see nothing beside the directory', async () => {
    const files = { 'app/own.yaml': configMap('own'), 'app/link': { type: 'symlink' as const } };
    const facts = { render: { tool: 'plain' as const, plain: { include: ['**'], exclude: ['*.yml'] } } };

    await expectEnd({ files, facts }, refused('symbolic links are not followed'));
  });
});
