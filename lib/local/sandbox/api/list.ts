import { randomBytes } from 'node:crypto';
import type { SandboxObject } from '../objects/sandbox-object.ts';
import { collectionKey, type ServedType } from '../objects/served-types.ts';
import { type ObjectFilter, parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { ApiError, badRequest } from './status.ts';
import type { SandboxWorld } from './world.ts';

/** A list that was cut, kept until its next page is asked for. */
interface Snapshot {
  readonly resourceVersion: string;
  readonly rest: readonly SandboxObject[];
  readonly selected: boolean;
  readonly query: string;
}

/** Lists with paging: every page of a list shows the objects as they were when its first page was asked for. */
export interface Lister {
  readonly list: (type: ServedType, namespace: string | undefined, query: URLSearchParams) => ListPage;
}

export interface ListPage {
  readonly items: readonly SandboxObject[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

const MAX_SNAPSHOTS = 200;

export function createLister(world: SandboxWorld): Lister {
  const snapshots = new Map<string, Snapshot>();

  function keep(snapshot: Snapshot): string {
    const token = randomBytes(12).toString('base64url');
    snapshots.set(token, snapshot);
    for (const oldest of snapshots.keys()) {
      if (snapshots.size <= MAX_SNAPSHOTS) break;
      snapshots.delete(oldest);
    }
    return token;
  }

  function start(type: ServedType, namespace: string | undefined, query: URLSearchParams): Snapshot {
    const filters: ObjectFilter[] = [];
    const labels = query.get('labelSelector') ?? '';
    const fields = query.get('fieldSelector') ?? '';
    if (labels !== '') filters.push(parseLabelSelector(labels));
    if (fields !== '') filters.push(parseFieldSelector(fields));
    const all = world.store.list(collectionKey(type), namespace);
    return {
      resourceVersion: String(world.store.resourceVersion()),
      rest: filters.length === 0 ? all : all.filter((object) => filters.every((filter) => filter(object))),
      selected: filters.length > 0,
      query: queryKey(type, namespace, query),
    };
  }

  function resume(
    type: ServedType,
    namespace: string | undefined,
    query: URLSearchParams,
    token: string,
  ): Snapshot {
    const snapshot = snapshots.get(token);
    if (snapshot === undefined) {
      throw new ApiError(
        410,
        'Expired',
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    }
    if (snapshot.query !== queryKey(type, namespace, query)) {
      throw badRequest('continue key is not valid: it belongs to another list');
    }
    return snapshot;
  }

  return {
    list: (type, namespace, query) => {
      const limit = limitOf(query);
      const token = query.get('continue') ?? '';
      const snapshot = token === '' ? start(type, namespace, query) : resume(type, namespace, query, token);
      const items = limit === 0 ? snapshot.rest : snapshot.rest.slice(0, limit);
      const rest = snapshot.rest.slice(items.length);
      const { resourceVersion } = snapshot;
      // Lists of custom resources always have the field.
      const last = type.custom === undefined ? {} : { continue: '' };
      if (rest.length === 0) return { items, metadata: { ...last, resourceVersion } };
      const next = keep({ ...snapshot, rest });
      const remaining = snapshot.selected ? {} : { remainingItemCount: rest.length };
      return { items, metadata: { resourceVersion, continue: next, ...remaining } };
    },
  };
}

function queryKey(type: ServedType, namespace: string | undefined, query: URLSearchParams): string {
  const selectors = [query.get('labelSelector') ?? '', query.get('fieldSelector') ?? ''];
  return JSON.stringify([collectionKey(type), namespace ?? null, ...selectors]);
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (!/^\d{1,9}$/.test(text)) throw badRequest(`invalid limit "${text}": expected a whole number`);
  return Number(text);
}
