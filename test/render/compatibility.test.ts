import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { createRenderer } from '../../lib/render/create-renderer.ts';
import { normaliseManifests } from '../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../lib/render/scopes.ts';
import type { FileTree } from '../../lib/source/file-tree.ts';
import { anApplication, inTemporaryDirectory } from './rendering.ts';
import { tools, withTools } from './tools-for-tests.ts';

/** A directory with argocd-example-apps/ and flux2-kustomize-helm-example/. */
const compat = process.env.HOLDFAST_COMPAT;

function treeOf(directory: string): FileTree {
  const paths = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
  return { paths, read: (path) => (paths.includes(path) ? readFileSync(join(directory, path)) : undefined) };
}

const withCompat = compat === undefined ? describe.skip : withTools;

withCompat('published repositories (HOLDFAST_COMPAT)', () => {
  const render = (repository: string, path: string) =>
    inTemporaryDirectory(async (temporaryDirectory) => {
      const { manifests } = await createRenderer({ tools, temporaryDirectory }).render({
        files: treeOf(join(compat ?? '', repository)),
        application: anApplication({ path, name: 'compat' }),
        kubeVersion: 'v1.20.2',
      });
      return manifests;
    });

  it.each([
    ['argocd-example-apps', 'guestbook', ['Deployment', 'Service']],
    ['argocd-example-apps', 'kustomize-guestbook', ['Deployment', 'Service']],
    ['argocd-example-apps', 'helm-guestbook', ['Deployment', 'Service']],
    ['argocd-example-apps', 'blue-green', ['Rollout', 'Service']],
    ['argocd-example-apps', 'sock-shop', ['Deployment', 'Ingress', 'Service']],
    ['argocd-example-apps', 'apps', ['Application']],
    ['flux2-kustomize-helm-example', 'apps/production', ['HelmRelease', 'HelmRepository', 'Namespace']],
    ['flux2-kustomize-helm-example', 'clusters/production', ['ArtifactGenerator', 'Kustomization']],
    ['flux2-kustomize-helm-example-2.6', 'apps/staging', ['HelmRelease', 'HelmRepository', 'Namespace']],
  ])('%s/%s renders', async (repository, path, kinds) => {
    const manifests = await render(repository, path);

    expect([...new Set(manifests.map(({ object }) => object.kind))].sort()).toEqual(kinds);
  });

  it.each(['guestbook', 'kustomize-guestbook', 'helm-guestbook', 'sock-shop'])(
    '%s is fit to be applied',
    async (path) => {
      const manifests = await render('argocd-example-apps', path);

      const { manifests: settled, rejections } = normaliseManifests(manifests, {
        scopeOf: builtInScopeOf,
        targetNamespace: 'compat',
      });

      expect(rejections).toEqual([]);
      expect(settled.every(({ object }) => object.metadata.namespace === 'compat')).toBe(true);
    },
  );

  it('rejects a chart with a remote dependency, and says what to do', async () => {
    await expect(render('argocd-example-apps', 'helm-dependency')).rejects.toThrow(
      /run "helm dependency build" and commit charts/,
    );
  });
});
