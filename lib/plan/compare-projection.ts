import type { DriftField } from '../model/drift.ts';
import type { Projection } from '../model/inventory.ts';
import type { JsonObject, LiveObject } from '../model/resource.ts';
import { attribute, ownsPath } from './attribute.ts';
import { canonicalJson } from './canonical-json.ts';
import { type HashKey, hashKeyId } from './keyed-hash.ts';
import { isSecret, maskSecrets } from './mask-secrets.ts';
import { isMap, memberOf, ownEntryOf, type PathElement } from './owned-fields.ts';
import { itemKey, type Shape, SHAPES, schemaStep, shapesOf } from './projection.ts';

interface Comparison {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly live: LiveObject;
  readonly fieldManager: string;
  readonly found: DriftField[];
}

/** Where the walk is: the way in, and the schema path under which shapes are kept. */
interface Place {
  readonly elements: readonly PathElement[];
  readonly schema: string;
}

/**
 * The fields we own that no longer have the value they had when we applied them, each with the manager that owns it
 * now. Fields that others added are not among them.
 *
 * null and absent are the same; an empty map or list is not the same as an absent one, because for a label selector
 * the one means everything and the other nothing. The order of keyed lists and sets does not count.
 *
 * @param live fetched in the API version under which it was applied: in another one the same fields look different
 * @param keys the hash keys that are still known, the newest first; a Secret value hashed by a key that is gone counts
 * as changed
 */
export function compareProjection(
  projection: Projection,
  live: LiveObject,
  fieldManager: string,
  keys: HashKey | readonly HashKey[],
): readonly DriftField[] {
  const masked = maskLike(projection, live, keys);
  const comparison: Comparison = { shapes: shapesOf(projection), live: masked, fieldManager, found: [] };

  for (const [name, member] of Object.entries(projection)) {
    if (name !== SHAPES) {
      compare(comparison, member, memberOf(masked, name), {
        elements: [{ kind: 'field', name }],
        schema: schemaStep('', name),
      });
    }
  }
  return comparison.found.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** A JSON pointer; list items stand in it by what identifies them: `/spec/ports/[port=80,protocol=TCP]/name`. */
export function pointerOf(elements: readonly PathElement[]): string {
  return elements.map((element) => schemaStep('', describeElement(element))).join('');
}

function describeElement(element: PathElement): string {
  switch (element.kind) {
    case 'field':
      return element.name;
    case 'index':
      return String(element.index);
    case 'value':
      return `[=${describeValue(element.value)}]`;
    case 'key': {
      const parts = Object.entries(element.key).map(([name, value]) => `${name}=${describeValue(value)}`);
      return `[${parts.join(',')}]`;
    }
  }
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? value : canonicalJson(value);
}

/** null and absent are equal; otherwise values are what they are. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === undefined || a === null || b === undefined || b === null) {
    return (a ?? null) === (b ?? null);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, i) => sameValue(item, b[i]))
    );
  }
  if (isMap(a) && isMap(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => sameValue(memberOf(a, name), memberOf(b, name)));
  }
  return a === b;
}

function compare(comparison: Comparison, applied: unknown, live: unknown, place: Place): void {
  const shape = comparison.shapes.get(place.schema);
  if (Array.isArray(applied) && Array.isArray(live) && (shape !== undefined || applied.length === 0)) {
    compareList(comparison, applied, live, place, shape);
    return;
  }
  if (isMap(applied) && isMap(live) && shape !== 'whole') {
    compareMap(comparison, applied, live, place);
    return;
  }
  if (!sameValue(applied, live)) {
    report(comparison, place.elements, applied, live);
  }
}

function compareMap(
  comparison: Comparison,
  applied: Readonly<Record<string, unknown>>,
  live: Readonly<Record<string, unknown>>,
  place: Place,
): void {
  if (Object.keys(applied).length === 0) {
    compareEmpty(comparison, applied, live, place);
    return;
  }
  for (const [name, member] of Object.entries(applied)) {
    compare(comparison, member, memberOf(live, name), {
      elements: [...place.elements, { kind: 'field', name }],
      schema: schemaStep(place.schema, name),
    });
  }
}

// What others put into a map or list that we left empty is an addition as long as our entry still holds the field;
// one that is owned as a whole has left our entry when somebody filled it.
function compareEmpty(comparison: Comparison, applied: unknown, live: unknown, place: Place): void {
  const own = ownEntryOf(comparison.live.metadata, comparison.fieldManager)?.fieldsV1;
  if (canonicalJson(live) !== canonicalJson(applied) && !ownsPath(own, place.elements)) {
    report(comparison, place.elements, applied, live);
  }
}

function compareList(
  comparison: Comparison,
  applied: readonly unknown[],
  live: readonly unknown[],
  place: Place,
  shape: Shape | undefined,
): void {
  if (applied.length === 0) {
    compareEmpty(comparison, applied, live, place);
  } else if (shape === 'set') {
    const members = new Set(live.map((item) => canonicalJson(item)));
    for (const value of applied) {
      if (!members.has(canonicalJson(value))) {
        report(comparison, [...place.elements, { kind: 'value', value }], value, undefined);
      }
    }
  } else if (shape === 'index') {
    for (const [index, item] of applied.entries()) {
      // null: a position that is not ours.
      if (item !== null) {
        compare(comparison, item, live[index], itemPlace(place, { kind: 'index', index }));
      }
    }
  } else if (Array.isArray(shape)) {
    compareKeyedList(comparison, applied, live, place, shape);
  }
}

function compareKeyedList(
  comparison: Comparison,
  applied: readonly unknown[],
  live: readonly unknown[],
  place: Place,
  names: readonly string[],
): void {
  // A list that was not written by server-side apply may hold a key twice.
  const liveItems = new Map<string, unknown[]>();
  for (const item of live) {
    const key = itemKey(item, names);
    liveItems.set(key, [...(liveItems.get(key) ?? []), item]);
  }
  for (const item of applied) {
    const key = Object.fromEntries(
      names.flatMap((name) => {
        const part = memberOf(item, name);
        return part === undefined ? [] : [[name, part]];
      }),
    ) as JsonObject;
    const there = liveItems.get(itemKey(item, names))?.shift();
    const where = itemPlace(place, { kind: 'key', key });
    if (there === undefined) {
      report(comparison, where.elements, item, undefined);
    } else {
      compare(comparison, item, there, where);
    }
  }
}

function itemPlace(place: Place, element: PathElement): Place {
  return { elements: [...place.elements, element], schema: `${place.schema}/*` };
}

function report(
  comparison: Comparison,
  elements: readonly PathElement[],
  applied: unknown,
  live: unknown,
): void {
  const { metadata } = comparison.live;
  comparison.found.push({
    path: pointerOf(elements),
    applied,
    ...(live === undefined ? {} : { live }),
    ...attribute(metadata.managedFields ?? [], elements, comparison.fieldManager),
  });
}

/** Hashes the live Secret with the key by which the projection was hashed. */
function maskLike(projection: Projection, live: LiveObject, keys: HashKey | readonly HashKey[]): LiveObject {
  if (!isSecret(live)) {
    return live;
  }
  const known: readonly HashKey[] = 'id' in keys ? [keys] : keys;
  const id = isMap(projection['data'])
    ? Object.values(projection['data'])
        .map(hashKeyId)
        .find((found) => found !== undefined)
    : undefined;
  const key = known.find((candidate) => candidate.id === id) ?? known[0];
  // Without any key nothing can be compared, and nothing may be shown.
  return key === undefined ? { ...live, data: undefined, stringData: undefined } : maskSecrets(live, key);
}
