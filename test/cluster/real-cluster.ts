import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { executePlan } from '../../lib/apply/execute-plan.ts';
import type { PruneAction, PruneDeps } from '../../lib/apply/execute-prune.ts';
import type { ApplyDeps } from '../../lib/apply/apply-deps.ts';
import type { ActionResult } from '../../lib/apply/apply-report.ts';
import { connectKube } from '../../lib/cluster/connect-kube.ts';
import { importKubeconfig } from '../../lib/cluster/import-kubeconfig.ts';
import type { KubeApi, ResourceRef, ResourceType } from '../../lib/cluster/kube-api.ts';
import { type ClusterName, fieldManagerOf, MARK_LABEL, type TargetId } from '../../lib/model/ids.ts';
import type { Action } from '../../lib/model/plan.ts';
import {
  type KubeObject,
  type LiveObject,
  type ResourceId,
  resourceId,
  versionOf,
} from '../../lib/model/resource.ts';
import { stageOf } from '../../lib/plan/order.ts';

/**
 * Colon separated kubeconfig paths; absent: the suites that need a cluster are skipped. Suites that run side by side
 * begin with different ones.
 */
const named = (process.env['HOLDFAST_TEST_KUBECONFIGS'] ?? '').split(':').filter(Boolean);
const first = (Number(process.env['JEST_WORKER_ID'] ?? 1) - 1) % Math.max(named.length, 1);
export const kubeconfigs = [...named.slice(first), ...named.slice(0, first)];
export const withCluster = kubeconfigs.length > 0 ? describe : describe.skip;

export function openCluster(path = kubeconfigs[0] ?? ''): KubeApi {
  const imported = importKubeconfig(readFileSync(path, 'utf8'));
  return connectKube({ ...imported, name: imported.context as ClusterName });
}

/** The same cluster with another token. */
export function openClusterWithToken(token: string, path = kubeconfigs[0] ?? ''): KubeApi {
  const imported = importKubeconfig(readFileSync(path, 'utf8'));
  return connectKube({ ...imported, credential: { token }, name: imported.context as ClusterName });
}

/** The same cluster, trusting another authority. */
export function openClusterWithCa(caData: string, path = kubeconfigs[0] ?? ''): KubeApi {
  const imported = importKubeconfig(readFileSync(path, 'utf8'));
  return connectKube({ ...imported, caData, name: imported.context as ClusterName });
}

/** Unlike any other name on a shared cluster. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

export function aTargetId(): TargetId {
  return randomBytes(16).toString('hex') as TargetId;
}

export function applyDeps(kube: KubeApi, target: TargetId, changes: Partial<ApplyDeps> = {}): ApplyDeps {
  return {
    kube,
    target,
    fieldManager: fieldManagerOf(target),
    lease: { stillOurs: () => true },
    deadline: performance.now() + 90_000,
    ...changes,
  };
}

export function pruneDeps(kube: KubeApi, target: TargetId, changes: Partial<PruneDeps> = {}): PruneDeps {
  return { ...applyDeps(kube, target), keptUids: new Set(), ...changes };
}

export type ApplyAction = Action & { kind: 'apply' };

export function marked(object: KubeObject, target: TargetId): KubeObject {
  const labels = { ...object.metadata.labels, [MARK_LABEL]: target };
  return { ...object, metadata: { ...object.metadata, labels } };
}

export function anApply(
  object: KubeObject,
  target: TargetId,
  changes: Partial<Omit<ApplyAction, 'kind' | 'object'>> = {},
): ApplyAction {
  const id = resourceId(object);
  return {
    kind: 'apply',
    id,
    reason: 'new',
    object: marked(object, target),
    origin: { file: 'test.yaml' },
    desired: 'k1:00',
    stage: stageOf(id),
    ...changes,
  };
}

/** The prune action for an object as it was applied. */
export function aPrune(live: LiveObject, id: ResourceId = resourceId(live)): PruneAction {
  const { uid, resourceVersion } = live.metadata;
  return {
    kind: 'prune',
    id,
    entry: {
      id,
      version: versionOf(live.apiVersion),
      namespaced: id.namespace !== undefined,
      status: 'applied',
      desired: 'k1:00',
      baseline: { uid, resourceVersion, metadata: '' as never },
    },
    live: { uid, resourceVersion },
    stage: stageOf(id),
  };
}

/** Applies the objects for a target and answers the live ones. @throws when one is not applied */
export async function applyAll(
  kube: KubeApi,
  target: TargetId,
  objects: readonly KubeObject[],
  changes: Partial<ApplyDeps> = {},
): Promise<readonly LiveObject[]> {
  const actions = objects.map((object) => anApply(object, target));
  const report = await executePlan(applyDeps(kube, target, changes), actions);
  return report.results.map(liveOf);
}

export function liveOf(result: ActionResult | undefined): LiveObject {
  if (result?.kind !== 'applied') {
    throw new Error(`not applied: ${result?.kind} ${result?.kind === 'failed' ? result.error.message : ''}`);
  }
  return result.live;
}

export async function typeOf(kube: KubeApi, apiVersion: string, kind: string): Promise<ResourceType> {
  const type = (await kube.discovery()).find(apiVersion, kind);
  if (type === undefined) {
    throw new Error(`${apiVersion} ${kind} is not served`);
  }
  return type;
}

export async function refOf(kube: KubeApi, object: KubeObject): Promise<ResourceRef> {
  const type = await typeOf(kube, object.apiVersion, object.kind);
  const { name = '', namespace } = object.metadata;
  return namespace === undefined ? { type, name } : { type, name, namespace };
}

/** Polls until `look` answers something. */
export async function eventually<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const found = await look();
    if (found !== undefined) {
      return found;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`never happened: ${what}`);
}

/** Deletes without asking; for what a test leaves behind. */
export async function remove(kube: KubeApi, object: KubeObject): Promise<void> {
  const ref = await refOf(kube, object);
  for (let tries = 0; tries < 5; tries += 1) {
    const live = await kube.getMetadata(ref);
    if (live === undefined) {
      return;
    }
    try {
      await kube.delete(ref, live.metadata);
      return;
    } catch {
      // Changed in between: look again.
    }
  }
}

export function aNamespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

export function aConfigMap(
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>> = { a: '1' },
): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}

export function aCrd(group: string, kind: string, scope = 'Namespaced'): KubeObject {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          },
        },
      ],
    },
  };
}
