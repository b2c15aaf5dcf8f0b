import type { ResourceRef } from '../cluster/kube-api.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import { describeResource, type LiveObject } from '../model/resource.ts';
import { isMap, memberOf } from '../plan/owned-fields.ts';
import { type ApplyDeps, attempt, Interrupted, nowOf, pause, callDeadline } from './apply-deps.ts';
import type { ApplyAction } from './apply-object.ts';
import type { ServedTypes } from './served-types.ts';

/** What a CustomResourceDefinition brings into being. */
export interface DefinedType {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly servedVersions: readonly string[];
}

const LIMIT_MS = 60_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export function isNamespace(id: { readonly group: string; readonly kind: string }): boolean {
  return id.group === '' && id.kind === 'Namespace';
}

export function isCrd(id: { readonly group: string; readonly kind: string }): boolean {
  return id.group === 'apiextensions.k8s.io' && id.kind === 'CustomResourceDefinition';
}

/** undefined when the object does not say what it defines. */
export function definedType(crd: Readonly<Record<string, unknown>>): DefinedType | undefined {
  const spec = memberOf(crd, 'spec');
  const names = memberOf(spec, 'names');
  const group = memberOf(spec, 'group');
  const kind = memberOf(names, 'kind');
  const plural = memberOf(names, 'plural');
  if (typeof group !== 'string' || typeof kind !== 'string' || typeof plural !== 'string') {
    return undefined;
  }
  const listed = memberOf(spec, 'versions');
  const served = (Array.isArray(listed) ? listed : []).flatMap((each) => {
    const name = memberOf(each, 'name');
    return typeof name === 'string' && memberOf(each, 'served') === true ? [name] : [];
  });
  // v1beta1 of the CRD itself may name a single version instead.
  const single = memberOf(spec, 'version');
  const servedVersions = served.length === 0 && typeof single === 'string' ? [single] : served;
  return { group, kind, plural, namespaced: memberOf(spec, 'scope') !== 'Cluster', servedVersions };
}

/**
 * Waits until an applied Namespace is active or an applied CRD is established and its versions are in discovery.
 *
 * @throws HoldfastError when it does not come to that within a minute, or cannot
 * @throws Interrupted
 */
export async function awaitServed(
  deps: ApplyDeps,
  types: ServedTypes,
  action: ApplyAction,
  live: LiveObject,
): Promise<void> {
  const giveUpAt = nowOf(deps) + LIMIT_MS;
  const type = await types.typeOf(action.id, action.object);
  const ref: ResourceRef = { type, name: action.id.name };

  await pollUntil(deps, giveUpAt, `${describeResource(action.id)} was applied`, live, {
    read: () => attempt(deps, () => deps.kube.get(ref, { deadline: callDeadline(deps) })),
    missing: isNamespace(action.id) ? notActive : notEstablished,
  });
  if (isCrd(action.id)) {
    const defined = definedType(live);
    const wanted = (defined?.servedVersions ?? []).map((version) => `${defined?.group}/${version}`);
    await pollUntil(deps, giveUpAt, `${describeResource(action.id)} is established`, await types.current(), {
      read: () => types.refresh(),
      missing: (discovery) => {
        const absent = wanted.filter((each) => discovery.find(each, defined?.kind ?? '') === undefined);
        return absent.length === 0 ? undefined : { why: `${absent.join(', ')} is not served yet` };
      },
    });
  }
}

interface Missing {
  readonly why: string;
  /** No waiting will help. */
  readonly isFinal?: boolean;
}

async function pollUntil<T>(
  deps: ApplyDeps,
  giveUpAt: number,
  what: string,
  first: T | undefined,
  poll: { readonly read: () => Promise<T | undefined>; readonly missing: (value: T) => Missing | undefined },
): Promise<void> {
  let value = first;
  let pauseMs = FIRST_PAUSE_MS;
  let why = 'it was not looked at yet';
  for (;;) {
    try {
      value ??= await poll.read();
      const missing = value === undefined ? { why: 'it is gone again', isFinal: true } : poll.missing(value);
      if (missing === undefined) {
        return;
      }
      why = missing.why;
      if (missing.isFinal === true) {
        throw new HoldfastError('kube-error', `${what}, but ${why}`, { retryable: true });
      }
    } catch (error) {
      if (error instanceof Interrupted || error instanceof HoldfastError) {
        throw error;
      }
      throw new HoldfastError('kube-error', `${what}, but then: ${errorRecord(error).message}`, {
        retryable: true,
        cause: error,
      });
    }
    if (nowOf(deps) >= giveUpAt) {
      throw new HoldfastError('kube-error', `${what}, but after ${LIMIT_MS / 1000} s ${why}`, {
        retryable: true,
      });
    }
    await pause(deps, pauseMs);
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    value = undefined;
  }
}

function notActive(namespace: LiveObject): Missing | undefined {
  if (namespace.metadata.deletionTimestamp !== undefined) {
    return { why: 'it is being deleted', isFinal: true };
  }
  const phase = memberOf(namespace['status'], 'phase');
  return phase === 'Active' ? undefined : { why: 'it is not active yet' };
}

function notEstablished(crd: LiveObject): Missing | undefined {
  if (crd.metadata.deletionTimestamp !== undefined) {
    return { why: 'it is being deleted', isFinal: true };
  }
  const names = condition(crd, 'NamesAccepted');
  if (names?.['status'] === 'False') {
    return {
      why: `its names are not accepted (${String(names['message'] ?? names['reason'])})`,
      isFinal: true,
    };
  }
  return condition(crd, 'Established')?.['status'] === 'True'
    ? undefined
    : { why: 'it is not established yet' };
}

function condition(object: LiveObject, type: string): Readonly<Record<string, unknown>> | undefined {
  const conditions = memberOf(object['status'], 'conditions');
  return (Array.isArray(conditions) ? conditions : []).filter(isMap).find((each) => each['type'] === type);
}
