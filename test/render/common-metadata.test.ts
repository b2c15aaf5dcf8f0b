import { setCommonMetadata } from '../../lib/render/common-metadata.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory } from './rendering.ts';
import { tools } from './tools-for-tests.ts';

const manifestOf = (metadata: object): Manifest => ({
  object: { apiVersion: 'v1', kind: 'ConfigMap', metadata },
  origin: { file: 'a.yaml', line: 3 },
});

describe('common metadata', () => {
  it('is set over what objects have, and beside the rest', () => {
    const manifest = manifestOf({ name: 'a', labels: { team: 'b', app: 'a' } });

    const [set] = setCommonMetadata([manifest], { labels: { team: 'c' }, annotations: { by: 'us' } });

    expect(set).toEqual({
      ...manifest,
      object: {
        ...manifest.object,
        metadata: { name: 'a', labels: { team: 'c', app: 'a' }, annotations: { by: 'us' } },
      },
    });
    expect(manifest.object.metadata.labels).toEqual({ team: 'b', app: 'a' });
  });

  it('makes the maps that are null or missing, and none that it has nothing for', () => {
    const [set] = setCommonMetadata([manifestOf({ name: 'a', labels: null })], { labels: { a: 'b' } });

    expect(set?.object.metadata).toEqual({ name: 'a', labels: { a: 'b' } });
  });

  it('leaves labels that are no mapping to whoever checks the object', () => {
    const [set] = setCommonMetadata([manifestOf({ name: 'a', labels: ['x'] })], { labels: { a: 'b' } });

    expect(set?.object.metadata.labels).toEqual(['x']);
  });

  it.each([undefined, {}, { labels: {} }])('changes nothing for %j', (metadata) => {
    const manifests = [manifestOf({ name: 'a' })];

    expect(setCommonMetadata(manifests, metadata)).toBe(manifests);
  });

  it('wins over variables, and touches neither templates nor selectors', async () => {
    const text = `${configMap('a').replace('  name: a', '  name: a\n  labels: {env: "${ENV}"}')}---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  selector: {matchLabels: {app: d}}
  template: {metadata: {labels: {app: d}}, spec: {containers: []}}
`;
    const application = anApplication({
      render: {
        tool: 'auto',
        substitute: { variables: { ENV: 'test' } },
        commonMetadata: { labels: { env: '${ENV}' } },
      },
    });

    const { manifests } = await inTemporaryDirectory((temporaryDirectory) =>
      createRenderer({ tools, temporaryDirectory }).render({
        files: aTree({ 'app/a.yaml': text }),
        application,
      }),
    );

    expect(manifests.map(({ object }) => object.metadata.labels)).toEqual([
      { env: '${ENV}' },
      { env: '${ENV}' },
    ]);
    expect(manifests[1]?.object.spec).toMatchObject({
      selector: { matchLabels: { app: 'd' } },
      template: { metadata: { labels: { app: 'd' } } },
    });
  });
});
