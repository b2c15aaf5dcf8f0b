import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../lib/model/errors.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { processMark } from '../../lib/render/process-mark.ts';
import type { ToolPaths } from '../../lib/render/tools.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';

const noTools: ToolPaths = {
  version: 'none',
  kubectl: () => Promise.reject(new Error('kubectl was asked for')),
  helm: () => Promise.reject(new Error('helm was asked for')),
};
const aRenderer = (limits = {}) =>
  createRenderer({ tools: noTools, temporaryDirectory: '/nonexistent', limits });
const render = async (
  files: Parameters<typeof aTree>[0],
  facts: Parameters<typeof anApplication>[0] = {},
  limits = {},
) => (await aRenderer(limits).render({ files: aTree(files), application: anApplication(facts) })).manifests;

describe('a plain directory', () => {
  it('renders YAML and JSON recursively, by path, without any tool', async () => {
    const manifests = await render({
      'app/z.yaml': configMap('z'),
      'app/b/c.yml': configMap('c'),
      'app/b/a.json': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"}}',
      'app/README.md': 'not: [read',
      'application/other.yaml': configMap('other'),
      'elsewhere.yaml': configMap('elsewhere'),
    });

    expect(namesOf(manifests)).toEqual(['ConfigMap j', 'ConfigMap c', 'ConfigMap z']);
    expect(manifests.map(({ origin }) => origin)).toEqual([
      { file: 'app/b/a.json', line: 1 },
      { file: 'app/b/c.yml', line: 1 },
      { file: 'app/z.yaml', line: 1 },
    ]);
  });

  it('takes the root, and a single file, as a path', async () => {
    const files = { 'a.yaml': configMap('a'), 'b/b.yaml': configMap('b') };

    expect(namesOf(await render(files, { path: '.' }))).toEqual(['ConfigMap a', 'ConfigMap b']);
    expect(namesOf(await render(files, { path: 'b/b.yaml' }))).toEqual(['ConfigMap b']);
  });

  it('skips kustomization files below it, and at it when told to be plain', async () => {
    const files = {
      'app/kustomization.yaml': 'resources: [a.yaml]',
      'app/a.yaml': configMap('a'),
      'app/b/Kustomization': 'x',
    };

    const manifests = await render(files, { render: { tool: 'plain' } });

    expect(namesOf(manifests)).toEqual(['ConfigMap a']);
  });

  it('is empty where there is no manifest', async () => {
    expect(await render({})).toEqual([]);
    expect(await render({ 'app/README.md': '' })).toEqual([]);
  });

  it('rejects faulty documents of all files in one error that names each place', async () => {
    const failing = render({
      'app/a.yaml': `${configMap('ok')}---\nkind: X\n`,
      'app/b.yaml': 'a: "',
      'app/c.yaml': new Uint8Array([0xff, 0xfe, 0x00]),
    });

    await expect(failing).rejects.toMatchObject({
      code: 'render-failed',
      retryable: false,
      details: { count: 3 },
    });
    const message = await failing.catch((error: Error) => error.message);
    expect(message).toContain('app/a.yaml:7: not a Kubernetes object: apiVersion, metadata.name missing');
    expect(message).toContain('app/b.yaml:1: ');
    expect(message).toContain('app/c.yaml: not UTF-8');
  });

  it('rejects a path that does not exist', async () => {
    await expect(render({ 'a.yaml': configMap('a') }, { path: 'typo' })).rejects.toMatchObject({
      code: 'path-missing',
    });
  });

  it('rejects helm where there is nothing for it', async () => {
    const failing = render({ 'app/a.yaml': configMap('a') }, { render: { tool: 'helm' } });

    await expect(failing).rejects.toThrow(/app\/Chart.yaml.*does not exist/);
  });

  it('renders what its globs choose, whatever its ending', async () => {
    const files = {
      'app/a.yaml': configMap('a'),
      'app/b.conf': configMap('b'),
      'app/c/c.yaml': configMap('c'),
      'app/c/broken.yaml': 'a: "',
    };
    const plain = { include: ['*.conf', 'c/*'], exclude: ['**/broken.*'] };

    const manifests = await render(files, { render: { tool: 'plain', plain } });

    expect(namesOf(manifests)).toEqual(['ConfigMap b', 'ConfigMap c']);
  });

  it('renders nothing where ignore files leave nothing', async () => {
    expect(await render({ '.sourceignore': 'app/**' })).toEqual([]);
    expect(await render({ '.sourceignore': '*' }, { path: '.' })).toEqual([]);
  });

  it.each([
    ['files', { maxFiles: 1 }],
    ['bytes in a file', { maxFileBytes: 10 }],
    ['bytes in all', { maxTotalBytes: 80 }],
    ['objects', { maxManifests: 1 }],
  ])('refuses too many %s', async (_what, limits) => {
    const files = { 'app/a.yaml': configMap('a'), 'app/b.yaml': configMap('b') };

    await expect(render(files, {}, limits)).rejects.toMatchObject({ code: 'render-limit' });
  });

  it.each([
    '/etc/passwd',
    '../x.yaml',
    'app/../../x.yaml',
    'app//x.yaml',
    'app\\x.yaml',
    'app/\u0000.yaml',
    './x.yaml',
    '',
  ])('refuses a tree with the path %j', async (path) => {
    const failing = render({ [path]: configMap('a') });

    await expect(failing).rejects.toBeInstanceOf(HoldfastError);
    await expect(failing).rejects.toMatchObject({ code: 'render-refused' });
  });

  it('refuses a path that is both a file and a directory', async () => {
    await expect(render({ 'app/a': 'x', 'app/a/b.yaml': configMap('a') })).rejects.toMatchObject({
      code: 'render-refused',
    });
  });

  it('removes at its first render what a process left behind that has ended', async () => {
    await inTemporaryDirectory(async (temporary) => {
      const ended = processMark().replace(/-\d+-/, '-4194999-');
      await mkdir(join(temporary, `holdfast-render-${ended}-abc`));
      const renderer = createRenderer({ tools: noTools, temporaryDirectory: temporary });

      await renderer.render({ files: aTree({}), application: anApplication() });

      expect(readdirSync(temporary)).toEqual([]);
    });
  });

  it('has a version that tells the tools and the format', () => {
    expect(aRenderer().version).toBe('render-2+none');
  });
});

describe('variables', () => {
  it('are replaced where the application has some, names and namespaces included', async () => {
    const files = {
      'app/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "${N}", namespace: "${NS}"}\n',
    };
    const facts = { render: { tool: 'plain', substitute: { variables: { N: 'web', NS: 'shop' } } } } as const;

    const manifests = await render(files, facts);

    expect(manifests[0]?.object.metadata).toEqual({ name: 'web', namespace: 'shop' });
    expect(manifests[0]?.origin).toEqual({ file: 'app/a.yaml', line: 1 });
  });

  it('mean nothing where it has none', async () => {
    const manifests = await render({ 'app/a.yaml': configMap('a', '{k: "${A}$$"}') });

    expect(manifests[0]?.object.data).toEqual({ k: '${A}$$' });
  });
});

describe('an encrypted Secret', () => {
  it('is refused, however it comes', async () => {
    const secret =
      'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nsops: {mac: "ENC[AES256_GCM,data:x]", lastmodified: t}\n';
    const substitute = { variables: { A: 'x' } };

    await expect(render({ 'app/s.yaml': secret })).rejects.toThrow('is encrypted with SOPS');
    await expect(render({ 'app/s.yaml': secret }, { render: { tool: 'plain', substitute } })).rejects.toThrow(
      'is encrypted with SOPS',
    );
  });
});
