import { configMap, namesOf } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { attack, expectEnd, refused, withCanary } from './attack.ts';

const canary = withCanary();

const own = { 'app/own.yaml': configMap('own'), 'app/patch.yaml': configMap('own', '{patched: "1"}') };
const url = () => `${canary().url}/2018-06-01/runtime/invocation/next`;
const inBase64 = () => Buffer.from(url()).toString('base64');

/**
 * To the tool's YAML parser each of these names a URL, and to ours it does not. A tool that reads the text itself asks
 * the server; here it reads what was checked.
 */
const HIDDEN: Readonly<Record<string, () => string>> = {
  'behind a line separator in a comment': () => `resources: [own.yaml] # \u2028crds: ["${url()}"]\n`,
  'behind a paragraph separator in a comment': () => `resources: [own.yaml] # \u2029crds: ["${url()}"]\n`,
  'behind a next line in a comment': () => `resources: [own.yaml] # \u0085crds: ["${url()}"]\n`,
  'in a merge with a tag': () => `resources: [own.yaml]\nopenapi: {!!merge <<: {path: "${url()}"}}\n`,
  'in a merge with an empty tag': () => `resources: [own.yaml]\nopenapi: {! <<: {path: "${url()}"}}\n`,
  'in a merge in quotes with a tag': () =>
    `resources: [own.yaml]\nopenapi: {!!merge "<<": {path: "${url()}"}}\n`,
  'in a merge with a tag in full': () =>
    `resources: [own.yaml]\nopenapi: {!<tag:yaml.org,2002:merge> <<: {path: "${url()}"}}\n`,
  'behind a colon without a blank in a flow mapping': () =>
    `resources: [own.yaml]\nopenapi: {version: v1.20.4, path :"${url()}"}\n`,
  'behind a question mark in a flow mapping': () => `resources: [own.yaml]\nopenapi: {?path: "${url()}"}\n`,
  'behind a byte order mark': () => `resources: [own.yaml]\n\ufeffcrds: ["${url()}"]\n`,
  'behind the end of the document': () => `resources: [own.yaml]\n...\ncrds: ["${url()}"]\n`,
  'behind a separator with a tab': () => `resources: [own.yaml]\n---\tcrds: ["${url()}"]\n`,
  'behind a separator in quotes': () => `resources: [own.yaml, 'x\n---\ncrds: ["${url()}"]']\n`,
  'behind a carriage return': () => `resources: [own.yaml] # \rcrds: ["${url()}"]\n`,
  'in binary under a tag of its own': () =>
    `%TAG !y! tag:yaml.org,2002:\n---\nresources: [own.yaml]\ncrds: [!y!binary ${inBase64()}]\n`,
  'in binary under a redefined tag': () =>
    `%TAG ! tag:yaml.org,2002:\n---\nresources: [own.yaml]\ncrds: [!binary ${inBase64()}]\n`,
  'in binary under an escaped tag': () => `resources: [own.yaml]\ncrds: [!!bin%61ry ${inBase64()}]\n`,
  'in binary': () => `resources: [own.yaml]\ncrds: [!!binary ${inBase64()}]\n`,
  'in a field in capitals': () => `resources: [own.yaml]\nCrds: ["${url()}"]\n`,
  'in a field with a long s': () => `resources: [own.yaml]\ncrd\u017f: ["${url()}"]\n`,
  'in an inner field in capitals': () => `resources: [own.yaml]\nopenapi: {PATH: "${url()}"}\n`,
  'in a field written twice': () => `resources: [own.yaml]\ncrds: []\ncrds: ["${url()}"]\n`,
  'in an anchor’s alias': () => `resources: [own.yaml]\nx: &a ["${url()}"]\ncrds: *a\n`,
  'in a merge': () => `<<: {crds: ["${url()}"]}\nresources: [own.yaml]\n`,
  'in a key of prototypes': () => `resources: [own.yaml]\n__proto__: {crds: ["${url()}"]}\n`,
};

/** The name of a file that the base64 of the URL happens to be. */
const decoy = () => ({ [`app/${inBase64()}`]: '{}' });

const INERT = new Set([
  'behind a line separator in a comment',
  'behind a paragraph separator in a comment',
  'behind a next line in a comment',
  'behind a question mark in a flow mapping',
  'in binary under a tag of its own',
  'in binary under a redefined tag',
  'in binary under an escaped tag',
]);

withTools(`a kustomization that hides a URL from our parser${whySkipped}`, () => {
  it.each(Object.keys(HIDDEN))('%s', async (name) => {
    const files = { ...own, ...decoy(), 'app/kustomization.yaml': HIDDEN[name]?.() ?? '' };

    const outcome = await attack({ files });

    if (INERT.has(name)) expect(namesOf(outcome.manifests)).toEqual(['ConfigMap own']);
    else expect(outcome.code).toMatch(/^render-(?:refused|failed)$/);
  });

  it.each(Object.keys(HIDDEN))('%s, in a base', async (name) => {
    const files = {
      'app/kustomization.yaml': 'resources: [../base]\n',
      'base/own.yaml': configMap('own'),
      [`base/${inBase64()}`]: '{}',
      'base/kustomization.yaml': HIDDEN[name]?.() ?? '',
    };

    const outcome = await attack({ files });

    if (INERT.has(name)) expect(namesOf(outcome.manifests)).toEqual(['ConfigMap own']);
    else expect(outcome.code).toMatch(/^render-(?:refused|failed)$/);
  });
});

const plugin = (members: string) =>
  `apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: patch.yaml${members}\n`;

withTools(`a plug-in's configuration that hides a URL from our parser${whySkipped}`, () => {
  const CONFIGURATIONS: Readonly<Record<string, () => string>> = {
    'behind a line separator in a comment': () => plugin(` # \u2028path: "${url()}"`),
    'in a merge with a tag': () => plugin(`\n!!merge <<: {path: "${url()}"}`),
    'in a field written twice': () => plugin(`\npath: "${url()}"`),
    'in a field in capitals': () => plugin(`\nPath: "${url()}"`),
    'in binary under an escaped tag': () =>
      plugin('').replace('patch.yaml', `!!bin%61ry ${Buffer.from(url()).toString('base64')}`),
  };

  it.each(Object.keys(CONFIGURATIONS))('%s', async (name) => {
    const configuration = CONFIGURATIONS[name]?.() ?? '';
    const inFile = { 'app/kustomization.yaml': 'resources: [own.yaml]\ntransformers: [t.yaml]\n' };
    const inline = JSON.stringify({ resources: ['own.yaml'], transformers: [configuration] });

    const asFile = await attack({ files: { ...own, ...inFile, 'app/t.yaml': configuration } });
    const asText = await attack({ files: { ...own, 'app/kustomization.yaml': inline } });

    expect([asFile.code, asText.code]).toEqual(
      name.includes('comment')
        ? ['rendered', 'rendered']
        : [
            expect.stringMatching(/^render-(?:refused|failed)$/),
            expect.stringMatching(/^render-(?:refused|failed)$/),
          ],
    );
  });

  it.each([
    ['a program', 'apiVersion: example.com/v1\nkind: Sh\nmetadata: {name: a}\n', 'only built-in'],
    [
      'a container',
      'apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a, annotations: {config.kubernetes.io/function: "container: {image: x}"}}\n',
      'programs and containers are not run',
    ],
    [
      'a program as a function',
      'apiVersion: example.com/v1\nkind: Fn\nmetadata: {name: a, annotations: {config.kubernetes.io/function: "exec: {path: ./x.sh}"}}\n',
      'only built-in',
    ],
    [
      'a chart generator',
      'apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\nname: x\nrepo: http://127.0.0.1:1\n',
      'charts are not rendered here',
    ],
    ['a list of plug-ins', 'apiVersion: v1\nkind: List\nitems: []\n', 'only built-in'],
  ])('names %s', async (_name, configuration, says) => {
    const files = { ...own, 'app/x.sh': `#!/bin/sh\ncat ${canary().file}\n`, 'app/p.yaml': configuration };

    for (const field of ['generators', 'transformers', 'validators']) {
      const kustomization = `resources: [own.yaml]\n${field}: [p.yaml]\n`;
      await expectEnd({ files: { ...files, 'app/kustomization.yaml': kustomization } }, refused(says));
    }
  });

  it.each([
    ['helmCharts', 'helmCharts: [{name: x, repo: http://127.0.0.1:1}]'],
    ['helmChartInflationGenerator', 'helmChartInflationGenerator: [{chartName: x}]'],
    ['helmGlobals', 'helmGlobals: {chartHome: /proc}'],
  ])('names a chart in %s', async (field, kustomization) => {
    await expectEnd({ files: { 'app/kustomization.yaml': kustomization } }, refused(`${field}: charts`));
  });

  it('names a directory that kustomize takes for a repository', async () => {
    const files = {
      'app/kustomization.yaml': 'resources: [user@host/org/repo]\n',
      'app/user@host/org/repo/kustomization.yaml': 'resources: []\n',
    };

    await expectEnd({ files }, refused('rename the directory'));
  });
});
