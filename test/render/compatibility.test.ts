import { join } from 'node:path';

import { normaliseManifests } from '../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../lib/render/scopes.ts';
import { renderThroughArtefact } from './equality.ts';
import { anApplication } from './rendering.ts';
import { withTools } from './tools-for-tests.ts';

/** A directory with argocd-example-apps/ and flux2-kustomize-helm-example/. */
const compat = process.env.HOLDFAST_COMPAT;

const withCompat = compat === undefined ? describe.skip : withTools;

withCompat('published repositories (HOLDFAST_COMPAT)', () => {
  const render = async (repository: string, path: string) => {
    const application = anApplication({ path, name: 'compat' });
    return await renderThroughArtefact(join(compat ?? '', repository), application, {
      kubeVersion: 'v1.20.2',
    });
  };

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
    const { manifests } = await render(repository, path);

    expect([...new Set(manifests.map(({ object }) => object.kind))].sort()).toEqual(kinds);
  });

  it.each(['guestbook', 'kustomize-guestbook', 'helm-guestbook', 'sock-shop', 'pre-post-sync'])(
    '%s is fit to be applied',
    async (path) => {
      const { manifests } = await render('argocd-example-apps', path);

      const { manifests: settled, rejections } = normaliseManifests(manifests, {
        scopeOf: builtInScopeOf,
        targetNamespace: 'compat',
      });

      expect(rejections).toEqual([]);
      expect(settled.every(({ object }) => object.metadata.namespace === 'compat')).toBe(true);
    },
  );

  it('refuses a chart that has to be fetched where nothing may be, and says what to do', async () => {
    await expect(render('argocd-example-apps', 'helm-dependency')).rejects.toMatchObject({
      code: 'chart-unreachable',
      message: expect.stringMatching(/"wordpress" has to be fetched.*run "helm dependency build"/) as unknown,
    });
  });
});
