import type { Hook, HookPhase, KubeObject } from '../model/resource.ts';

const PHASES: Readonly<Record<string, HookPhase>> = {
  'pre-install': 'pre-sync',
  'pre-upgrade': 'pre-sync',
  'post-install': 'post-sync',
  'post-upgrade': 'post-sync',
  'pre-delete': 'pre-delete',
  'post-delete': 'post-delete',
};

const DELETE_POLICIES = ['before-hook-creation', 'hook-succeeded', 'hook-failed'] as const;

/**
 * What `helm.sh/hook` makes of an object: undefined is an ordinary one. `left-out` is one for an event that a sync does
 * not have: tests, rollbacks, and words that helm does not know, which it leaves out, too.
 */
export function hookOf(object: KubeObject): Hook | 'left-out' | undefined {
  const annotations: Readonly<Record<string, unknown>> = object.metadata.annotations ?? {};
  const events = words(annotations['helm.sh/hook']);
  // Of Helm 2; later ones have crds/ instead.
  if (events === undefined || events.includes('crd-install')) return undefined;
  const phases = [...new Set(events.flatMap((event) => PHASES[event] ?? []))];
  if (phases.length === 0) return 'left-out';
  const policies = words(annotations['helm.sh/hook-delete-policy']) ?? ['before-hook-creation'];
  return {
    phases,
    weight: weightOf(annotations['helm.sh/hook-weight']),
    deletePolicies: DELETE_POLICIES.filter((policy) => policies.includes(policy)),
  };
}

/** Helm compares without regard to case and blanks. */
function words(value: unknown): readonly string[] | undefined {
  if (typeof value !== 'string') return undefined;
  return value.split(',').map((word) => word.trim().toLowerCase());
}

/** What is no whole number counts as 0, as in helm. */
function weightOf(value: unknown): number {
  if (typeof value !== 'string' || !/^[-+]?\d{1,15}$/.test(value)) return 0;
  return Number(value);
}
