import type { KubeApi } from '../../lib/cluster/kube-api.ts';
import type { JsonObject, KubeObject } from '../../lib/model/resource.ts';
import { normaliseManifests } from '../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../lib/render/scopes.ts';
import {
  aNamespace,
  applyAll,
  aTargetId,
  openCluster,
  remove,
  uniqueName,
  withCluster,
} from './real-cluster.ts';

const resources = { limits: { cpu: 2, memory: '1Gi' }, requests: { cpu: 0.5, memory: 1000000 } };
const pod = {
  // Left unscheduled, so that nobody else writes into it.
  schedulerName: 'nobody',
  containers: [
    {
      name: 'c',
      image: 'x',
      resources,
      env: [
        { name: 'A', value: null },
        { name: 'B', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: 1 } } },
      ],
      ports: [{ containerPort: 80 }],
    },
  ],
  volumes: [
    { name: 'v', emptyDir: { sizeLimit: 1000000 } },
    { name: 'w', emptyDir: null },
  ],
};
const workload = {
  selector: { matchLabels: { app: 'a' } },
  template: { metadata: { creationTimestamp: null, labels: { app: 'a' } }, spec: pod },
};
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: 1073741824 } } };

/** As people write them; Kubernetes 1.20 refuses to apply each of these as it stands, or answers with something else. */
const WRITTEN: readonly (JsonObject & { readonly apiVersion: string; readonly kind: string })[] = [
  { apiVersion: 'apps/v1', kind: 'Deployment', spec: workload, status: {} },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    spec: { ...workload, serviceName: 'a', volumeClaimTemplates: [{ metadata: { name: 'd' }, spec: claim }] },
  },
  { apiVersion: 'v1', kind: 'Pod', spec: pod },
  { apiVersion: 'batch/v1beta1', kind: 'CronJob', spec: cron() },
  {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    spec: { hard: { 'services.loadbalancers': 1, 'count/jobs.batch': 2.5e1 } },
  },
  {
    apiVersion: 'v1',
    kind: 'LimitRange',
    spec: { limits: [{ type: 'Container', default: { cpu: 1 }, max: { cpu: 2 }, min: { cpu: 0.1 } }] },
  },
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec: claim },
  {
    apiVersion: 'autoscaling/v2beta2',
    kind: 'HorizontalPodAutoscaler',
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' },
      metrics: [
        {
          type: 'Pods',
          pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: 100 } },
        },
      ],
    },
  },
  { apiVersion: 'v1', kind: 'Service', spec: { selector: { a: null, app: 'a' }, ports: [{ port: 80 }] } },
  { apiVersion: 'v1', kind: 'ConfigMap', data: { EMPTY: null, SET: 'x' } },
  { apiVersion: 'v1', kind: 'Secret', stringData: { EMPTY: null, SET: 'x' } },
];

withCluster('what people write, normalised', () => {
  const namespace = uniqueName('holdfast-normalise');
  const target = aTargetId();
  let kube: KubeApi;

  beforeAll(async () => {
    kube = openCluster();
    await applyAll(kube, target, [aNamespace(namespace)]);
  });
  afterAll(async () => {
    await remove(kube, aNamespace(namespace));
    await kube.close();
  });

  it('is applied, and applied again without a change', async () => {
    const manifests = WRITTEN.map((object) => ({
      object: { ...object, metadata: { name: 'a' } } as unknown as KubeObject,
      origin: { file: 'a.yaml' },
    }));
    const { manifests: normalised, rejections } = normaliseManifests(manifests, {
      targetNamespace: namespace,
      scopeOf: builtInScopeOf,
    });
    const objects = normalised.map(({ object }) => object);

    const first = await applyAll(kube, target, objects);
    const second = await applyAll(kube, target, objects);

    expect(rejections).toEqual([]);
    expect(second.map(withoutTimes)).toEqual(first.map(withoutTimes));
    expect(second.map(({ metadata }) => metadata.uid)).toEqual(first.map(({ metadata }) => metadata.uid));
    expect(first.find(({ kind }) => kind === 'ConfigMap')?.['data']).toEqual({ EMPTY: '', SET: 'x' });
    expect(first.find(({ kind }) => kind === 'Service')?.['spec']).toMatchObject({
      selector: { a: '', app: 'a' },
    });
  });
});

/**
 * What is wanted, and how often it was changed. Who owns it since when is left out: a quantity in another form than the
 * server's (1000m for 1) moves our entry's time with every apply, and changes nothing. So are controllers' reports.
 */
function withoutTimes({ metadata, status: _status, ...wanted }: KubeObject): unknown {
  return { ...wanted, generation: metadata.generation };
}

function cron() {
  const template = { spec: { ...pod, restartPolicy: 'Never' } };
  return { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: { template } } };
}
