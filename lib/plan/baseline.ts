import { type Digest, sha256 } from '../model/ids.ts';
import type { Baseline } from '../model/inventory.ts';
import { groupOf, type LiveMetadata } from '../model/resource.ts';
import { canonicalJson } from './canonical-json.ts';
import { ownEntryOf } from './owned-fields.ts';

/** The CRD of a custom resource, as it stood. */
export type CrdState = NonNullable<Baseline['crd']>;

/**
 * Built-in kinds whose metadata.generation rises with every change of the spec, measured on 1.20 and 1.36
 * (Job and CronJob on newer servers only; the older ones leave it out). Not here: ConfigMap, Secret, Service and the
 * others that have none, and PriorityClass, where it is 1 for ever.
 */
const GENERATION_COUNTS: ReadonlySet<string> = new Set([
  'apps/DaemonSet',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/StatefulSet',
  'batch/CronJob',
  'batch/Job',
  'extensions/Ingress',
  'networking.k8s.io/Ingress',
  'networking.k8s.io/NetworkPolicy',
  'policy/PodDisruptionBudget',
]);

/**
 * Annotations that the API server makes out of internal fields when it answers with a whole object, and leaves out of
 * metadata-only answers: with them, a DaemonSet would never look the same in a list as in the answer to its apply.
 */
const SYNTHETIC_ANNOTATIONS: ReadonlySet<string> = new Set([
  'deprecated.daemonset.template.generation',
  'deprecated.deployment.rollback.to',
]);

/**
 * What an object looks like now, to be judged by later.
 * @param live the answer of an apply, or an item of a metadata-only list
 * @param crd the state of its CRD; only given for custom resources, whose generation counts
 */
export function baselineOf(live: LiveMetadata, fieldManager: string, crd?: CrdState): Baseline {
  const { metadata } = live;
  const generation = generationOf(live, crd !== undefined);
  const ownEntry = ownEntryDigest(live, fieldManager);
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    ...(generation === undefined ? {} : { generation }),
    ...(ownEntry === undefined ? {} : { ownEntry }),
    metadata: metadataDigest(live),
    ...(crd === undefined ? {} : { crd: { uid: crd.uid, generation: crd.generation } }),
  };
}

/** The generation, where it means something for this kind; undefined elsewhere and where the server gives none. */
export function generationOf(live: LiveMetadata, isCustomResource: boolean): number | undefined {
  if (!isCustomResource && !GENERATION_COUNTS.has(`${groupOf(live.apiVersion)}/${live.kind}`)) {
    return undefined;
  }
  const { generation } = live.metadata;
  return typeof generation === 'number' && generation > 0 ? generation : undefined;
}

/** Over our own managedFields entry, its time included; undefined when there is none. */
export function ownEntryDigest(live: LiveMetadata, fieldManager: string): Digest | undefined {
  const entry = ownEntryOf(live.metadata, fieldManager);
  return entry === undefined ? undefined : sha256(canonicalJson(entry));
}

/** Over labels, annotations, finalizers and ownerReferences; absent and empty are the same. */
export function metadataDigest(live: LiveMetadata): Digest {
  const { labels, annotations, finalizers, ownerReferences } = live.metadata;
  return sha256(
    canonicalJson({
      labels: labels ?? {},
      annotations: Object.fromEntries(
        Object.entries(annotations ?? {}).filter(([name]) => !SYNTHETIC_ANNOTATIONS.has(name)),
      ),
      finalizers: finalizers ?? [],
      ownerReferences: ownerReferences ?? [],
    }),
  );
}
