import { readdirSync } from 'node:fs';

import type { Application, KustomizeOptions } from '../../lib/model/application.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure } from '../../lib/source/closure.ts';
import { memoryCommit } from '../support/memory-commit.ts';
import { anApplication, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

type Files = Readonly<Record<string, string>>;

const closureOf = (files: Files, application: Application) =>
  inputClosure({ reader: memoryCommit(files), application, salt: [] });

/** From the commit to manifests, through the artefact, as in an installation. */
async function render(files: Files, facts: Partial<Application>) {
  const application = anApplication(facts);
  const artefact = await packArtefact(await closureOf(files, application));
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    const renderer = createRenderer({ tools, temporaryDirectory });
    const tree = unpackArtefact(artefact.digest, artefact.bytes);
    const { manifests } = await renderer.render({ files: tree, application });
    expect(readdirSync(temporaryDirectory)).toEqual([]);
    return manifests;
  });
}

const withOptions = (kustomize: KustomizeOptions): Partial<Application> => ({
  render: { tool: 'auto', kustomize },
});

const deployment = [
  'apiVersion: apps/v1',
  'kind: Deployment',
  'metadata: {name: web}',
  'spec:',
  '  replicas: 1',
  '  selector: {matchLabels: {app: web}}',
  '  template:',
  '    metadata: {labels: {app: web}}',
  '    spec: {containers: [{name: web, image: "nginx:1"}, {name: side, image: "proxy:1"}]}',
  '',
].join('\n');

withTools(`options on top of a kustomization${whySkipped}`, () => {
  const files = {
    'app/kustomization.yml': [
      'resources: [../base]',
      'namePrefix: own-',
      'namespace: own',
      'labels: [{pairs: {team: a}}]',
      'images: [{name: nginx, newName: mirror/nginx, newTag: "2"}]',
      'replicas: [{name: web, count: 2}]',
      'patches: [{patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, annotations: {order: first, own: y}}}"}]',
    ].join('\n'),
    'base/kustomization.yaml': 'resources: [web.yaml]',
    'base/web.yaml': deployment,
    'extra/kustomization.yaml':
      'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\n',
    'extra/extra.yaml': configMap('extra'),
  };

  it('are set over what the file says, and the rest of it stays', async () => {
    const manifests = await render(
      files,
      withOptions({
        namePrefix: 'eu-',
        nameSuffix: '-x',
        namespace: 'shop',
        images: [
          { name: 'nginx', digest: `sha256:${'a'.repeat(64)}` },
          { name: 'proxy', newTag: '9' },
        ],
        replicas: [{ name: 'web', count: 5 }],
        components: ['../extra', '../nowhere'],
        ignoreMissingComponents: true,
        patches: [
          {
            patch: '- {op: replace, path: /metadata/annotations/order, value: last}',
            target: { kind: 'Deployment', name: 'w.*' },
          },
        ],
      }),
    );

    expect(namesOf(manifests)).toEqual(['ConfigMap eu-extra-x', 'Deployment eu-web-x']);
    expect(manifests[1]?.object).toMatchObject({
      metadata: { namespace: 'shop', labels: { team: 'a' }, annotations: { order: 'last', own: 'y' } },
      spec: {
        replicas: 5,
        template: {
          spec: {
            containers: [{ image: `mirror/nginx@sha256:${'a'.repeat(64)}` }, { image: 'proxy:9' }],
          },
        },
      },
    });
  });

  it('leave a kustomization alone that is told nothing', async () => {
    const plain = await render(files, {});
    const empty = await render(files, withOptions({}));

    expect(empty).toEqual(plain);
  });

  it('read what they add from the commit, and see it change', async () => {
    const application = anApplication(withOptions({ components: ['../extra'] }));
    const before = await closureOf(files, application);

    const after = await closureOf({ ...files, 'extra/extra.yaml': configMap('other') }, application);

    expect(after.digest).not.toBe(before.digest);
  });

  it('see a component appear that was left out', async () => {
    const application = anApplication(withOptions({ components: ['../new'], ignoreMissingComponents: true }));
    const before = await closureOf(files, application);

    const after = await closureOf(
      { ...files, 'new/kustomization.yaml': 'kind: Component\nnamePrefix: n-' },
      application,
    );

    expect(after.digest).not.toBe(before.digest);
  });

  it.each([
    [
      'a component that is not there',
      { components: ['../nowhere'] },
      /components\[0\]: nowhere does not exist/,
    ],
    ['a component out of the repository', { components: ['../../x'] }, /leads out of the repository/],
    ['a component from elsewhere', { components: ['https://github.com/a/b//c'] }, /is remote/],
    ['a component that is a file', { components: ['../base/web.yaml'] }, /expected a directory/],
    ['the application itself as component', { components: ['.'] }, /in a circle/],
    [
      'a patch that is an alias bomb',
      {
        patches: [
          {
            patch: `a: &a [${'x,'.repeat(99)}]\nb: &b [${'*a,'.repeat(99)}]\nc: &c [${'*b,'.repeat(99)}]\nd: [${'*c,'.repeat(99)}]`,
          },
        ],
      },
      /patches\[0\].*aliases expand/,
    ],
  ] as readonly (readonly [string, KustomizeOptions, RegExp])[])(
    'are refused for %s',
    async (_what, kustomize, message) => {
      const failing = render(files, withOptions(kustomize));

      await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
      await expect(failing).rejects.toThrow(message);
    },
  );
});

withTools(`a directory without kustomization${whySkipped}`, () => {
  const kustomize = { render: { tool: 'kustomize' } } as const;
  const files = {
    'app/b.yaml': `${configMap('b')}---\n# nothing\n---\n${configMap('b2')}`,
    'app/a/deep/c.yml': configMap('c'),
    'app/a/notes.md': '#',
    'app/data.json': '{"not": "an object"}',
    'app/own/kustomization.yaml': 'resources: [../../base, in.yaml]\nnamePrefix: own-',
    'app/own/in.yaml': configMap('in'),
    'app/own/left-out.yaml': 'not: an object',
    'app/own/deep/left-out.yaml': 'not: an object',
    'base/kustomization.yaml': 'resources: [x.yaml]',
    'base/x.yaml': configMap('x'),
  };

  it('is rendered with all its manifests, and each kustomization in it as one', async () => {
    const manifests = await render(files, kustomize);

    expect([...namesOf(manifests)].sort()).toEqual(
      ['b', 'b2', 'c', 'own-in', 'own-x'].map((name) => `ConfigMap ${name}`),
    );
  });

  it('takes options, and needs no other reason to be a kustomization', async () => {
    const manifests = await render(files, withOptions({ namespace: 'shop', nameSuffix: '-x' }));

    expect(manifests.map(({ object }) => object.metadata.namespace)).toEqual(Array(5).fill('shop'));
  });

  it('renders at the root of the repository', async () => {
    const manifests = await render(
      { 'a.yaml': configMap('a'), 'd/b.yaml': configMap('b') },
      { ...kustomize, path: '.' },
    );

    expect(namesOf(manifests)).toEqual(['ConfigMap a', 'ConfigMap b']);
  });

  it.each([
    ['nothing', { 'app/README.md': '#' }],
    ['comments', { 'app/a.yaml': '# nothing\n---\n' }],
  ])('renders nothing where it holds %s', async (_what, content) => {
    expect(await render(content, kustomize)).toEqual([]);
    expect(await render(content, withOptions({ namePrefix: 'x-' }))).toEqual([]);
  });

  it('renders the components alone where it holds nothing', async () => {
    const manifests = await render(
      {
        'app/README.md': '#',
        'c/kustomization.yaml':
          'kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: [a.yaml]',
        'c/a.yaml': configMap('a'),
      },
      withOptions({ components: ['../c'] }),
    );

    expect(namesOf(manifests)).toEqual(['ConfigMap a']);
  });

  it('changes its digest with a new file, a new directory and a kustomization that appears', async () => {
    const application = anApplication(kustomize);
    const before = await closureOf(files, application);

    for (const path of [
      'app/new.yaml',
      'app/a/new/x.yml',
      'app/a/deep/Kustomization',
      'app/kustomization.yaml',
    ]) {
      const after = await closureOf({ ...files, [path]: 'resources: []' }, application);
      expect(after.digest).not.toBe(before.digest);
    }
  });

  it('rejects every file that holds no Kubernetes objects, with its line', async () => {
    const failing = render(
      {
        'app/a.yaml': `${configMap('a')}---\nnot: an object\n`,
        'app/b.yml': 'kind: X\n',
        'app/c.yaml': 'x: [',
      },
      kustomize,
    );

    await expect(failing).rejects.toThrow(/app\/c.yaml: line 1: not valid YAML/);
    const others = render(
      { 'app/a.yaml': `${configMap('a')}---\nnot: an object\n`, 'app/b.yml': 'kind: X\n' },
      kustomize,
    );
    await expect(others).rejects.toMatchObject({ code: 'render-failed' });
    await expect(others).rejects.toThrow(/app\/a.yaml:7: not a Kubernetes object[^]*app\/b.yml:1: not a/);
  });

  it.each([
    [
      'a file with a name like an address',
      { 'app/github.com/a.yaml': configMap('a') },
      /take it for an address/,
    ],
    ['a file with a query in its name', { 'app/a?ref=b.yaml': configMap('a') }, /take it for an address/],
    [
      'two kustomizations in one directory',
      { 'app/d/kustomization.yaml': '', 'app/d/Kustomization': '' },
      /takes only one/,
    ],
  ])('refuses %s', async (_what, content, message) => {
    const failing = render(content, kustomize);

    await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
    await expect(failing).rejects.toThrow(message);
  });
});

withTools(`every field of a kustomization${whySkipped}`, () => {
  it.each([
    'apiVersion: kustomize.config.k8s.io/v1beta1',
    'kind: Kustomization',
    'metadata: {name: a, labels: {a: b}}',
    'namePrefix: a-',
    'nameSuffix: -a',
    'namespace: a',
    'commonLabels: {a: b}',
    'commonAnnotations: {a: b}',
    'labels: [{pairs: {a: b}, includeSelectors: true, includeTemplates: true, fields: []}]',
    'images: [{name: a, newName: b, newTag: c, tagSuffix: -d}]',
    'imageTags: [{name: a, newTag: c}]',
    'replicas: [{name: web, count: 2}]',
    'vars: [{name: X, objref: {apiVersion: apps/v1, kind: Deployment, name: web}, fieldref: {fieldpath: metadata.name}}]',
    'sortOptions: {order: legacy, legacySortOptions: {orderFirst: [], orderLast: []}}',
    'generatorOptions: {labels: {a: b}, annotations: {a: b}, disableNameSuffixHash: true, immutable: true}',
    'buildMetadata: [managedByLabel, originAnnotations, transformerAnnotations]',
    'bases: [../base]',
    'components: [../component]',
    'crds: [crd.json]',
    'configurations: [configuration.yaml]',
    'patchesStrategicMerge: [patch.yaml]',
    'patches: [{path: patch.yaml, target: {kind: Deployment}, options: {allowNameChange: true}}]',
    'patchesJson6902: [{target: {group: apps, version: v1, kind: Deployment, name: web}, path: patch6902.yaml}]',
    'replacements: [{path: replacement.yaml}]',
    'openapi: {path: openapi.json}',
    'configMapGenerator: [{name: a, namespace: b, behavior: create, files: [file.txt], envs: [a.env], literals: [x=y], options: {labels: {a: b}}}]',
    'secretGenerator: [{name: a, type: Opaque, files: [k=file.txt], envs: [a.env], literals: [x=y]}]',
    'generators: [generator.yaml]',
    'transformers: [transformer.yaml]',
    'validators: [validator.yaml]',
  ])('is taken: %s', async (field) => {
    const manifests = await render(
      {
        'app/kustomization.yaml': `resources: [web.yaml]\n${field}\n`,
        'app/web.yaml': deployment,
        'base/kustomization.yaml': 'resources: [x.yaml]',
        'base/x.yaml': configMap('x'),
        'component/kustomization.yaml':
          'kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\nresources: [y.yaml]',
        'component/y.yaml': configMap('y'),
        'app/crd.json': '{}',
        'app/configuration.yaml': 'nameReference: []\n',
        'app/patch.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {p: q}}\n',
        'app/patch6902.yaml': '- {op: add, path: /metadata/labels, value: {p: q}}\n',
        'app/replacement.yaml':
          'source: {kind: Deployment, name: web, fieldPath: metadata.name}\ntargets: [{select: {kind: Deployment}, fieldPaths: [spec.template.metadata.labels.app]}]\n',
        'app/openapi.json': '{"definitions": {}}',
        'app/file.txt': 'text',
        'app/a.env': 'A=b\n',
        'app/generator.yaml':
          'apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: [file.txt]\nenvs: [a.env]\n',
        'app/transformer.yaml':
          'apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: t}\nvalue: v\ntargetFilePath: targets.yaml\n',
        'app/validator.yaml':
          'apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: v}\nannotations: {}\n',
        'app/targets.yaml': 'targets: [{selector: {kind: Deployment}, fieldPath: metadata/annotations/v}]\n',
      },
      {},
    );

    expect(namesOf(manifests).some((name) => name.startsWith('Deployment'))).toBe(true);
  });
});
