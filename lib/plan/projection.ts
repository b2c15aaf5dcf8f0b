import type { Projection } from '../model/inventory.ts';
import type { JsonObject, KubeObject, LiveObject } from '../model/resource.ts';
import { canonicalJson } from './canonical-json.ts';
import type { HashKey } from './keyed-hash.ts';
import { maskSecrets } from './mask-secrets.ts';
import { isMap, memberOf, type OwnedChild, ownEntryOf, ownedChildren } from './owned-fields.ts';

/**
 * How a list or a map is owned, by its schema path (list items are `*`): lists by the fields that are the items' key,
 * sets by their members, lists by position, and maps that are owned as a whole. Lists that are not named are owned as a
 * whole, maps member by member.
 */
export type Shape = readonly string[] | 'set' | 'index' | 'whole';

/** The member of a projection that carries its shapes; no field of a Kubernetes object begins with `$`. */
export const SHAPES = '$shapes';

const EMPTY: JsonObject = {};

/**
 * The fields of a live object that our own Apply entry owns, with the values the API server gave them, each at its
 * place in the object. Secret values are keyed hashes.
 *
 * Where the server kept no entry of ours, the fields of `sent` stand in for it.
 * @param sent what was applied; tells a map that we left empty, and that others may fill, from one owned as a whole
 */
export function projectionOf(
  live: LiveObject,
  fieldManager: string,
  key: HashKey,
  sent?: KubeObject,
): Projection {
  const fields = ownEntryOf(live.metadata, fieldManager)?.fieldsV1 ?? (sent ? fieldsOf(sent) : EMPTY);
  const shapes = new Map<string, Shape>();

  const projected = project(maskSecrets(live, key), fields, sent, '', shapes);

  const members = isMap(projected) ? projected : {};
  return shapes.size === 0 ? members : { ...members, [SHAPES]: Object.fromEntries(shapes) };
}

/** The shapes that a projection carries. */
export function shapesOf(projection: Projection): ReadonlyMap<string, Shape> {
  const shapes = projection[SHAPES];
  return new Map(isMap(shapes) ? (Object.entries(shapes) as [string, Shape][]) : []);
}

/** The text by which the items of a keyed list are told apart. */
export function itemKey(item: unknown, names: readonly string[]): string {
  return canonicalJson(names.map((name) => memberOf(item, name) ?? null));
}

/** Appends one step to a schema path; escaped as in a JSON pointer, so that names with slashes stay apart. */
export function schemaStep(path: string, name: string): string {
  return `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function project(
  value: unknown,
  fields: JsonObject,
  sent: unknown,
  path: string,
  shapes: Map<string, Shape>,
): unknown {
  if (value === undefined || value === null) {
    return undefined;
  }
  const children = ownedChildren(fields);
  if (children.length === 0) {
    return projectLeaf(value, sent, path, shapes);
  }
  if (Array.isArray(value)) {
    return projectList(value, children, sent, path, shapes);
  }
  return isMap(value) ? projectMap(value, children, sent, path, shapes) : value;
}

function projectLeaf(value: unknown, sent: unknown, path: string, shapes: Map<string, Shape>): unknown {
  if (Array.isArray(value)) {
    return isEmptySent(sent) ? [] : value;
  }
  if (!isMap(value)) {
    return value;
  }
  if (isEmptySent(sent)) {
    return {};
  }
  if (Object.keys(value).length > 0) {
    shapes.set(path, 'whole');
  }
  return value;
}

// An empty map that we sent reads as a leaf; what others put into it is not ours.
function isEmptySent(sent: unknown): boolean {
  return (
    sent === null ||
    (Array.isArray(sent) && sent.length === 0) ||
    (isMap(sent) && Object.keys(sent).length === 0)
  );
}

function projectMap(
  value: Readonly<Record<string, unknown>>,
  children: readonly OwnedChild[],
  sent: unknown,
  path: string,
  shapes: Map<string, Shape>,
): unknown {
  const members: [string, unknown][] = [];
  for (const { element, fields } of children) {
    if (element.kind !== 'field' || (path === '' && element.name === SHAPES)) {
      continue;
    }
    const { name } = element;
    const member = project(
      memberOf(value, name),
      fields,
      memberOf(sent, name),
      schemaStep(path, name),
      shapes,
    );
    if (member !== undefined) {
      members.push([name, member]);
    }
  }
  // Not by assignment: `__proto__` is a valid key of a ConfigMap.
  return Object.fromEntries(members);
}

function projectList(
  value: readonly unknown[],
  children: readonly OwnedChild[],
  sent: unknown,
  path: string,
  shapes: Map<string, Shape>,
): unknown {
  if (children.some(({ element }) => element.kind === 'key')) {
    return projectKeyedList(value, children, sent, path, shapes);
  }
  if (children.some(({ element }) => element.kind === 'value')) {
    shapes.set(path, 'set');
    const owned = new Set(
      children.flatMap(({ element }) => (element.kind === 'value' ? [canonicalJson(element.value)] : [])),
    );
    return value.filter((item) => owned.has(canonicalJson(item)));
  }
  shapes.set(path, 'index');
  const byIndex = new Map(
    children.flatMap(({ element, fields }) =>
      element.kind === 'index' ? [[element.index, fields] as const] : [],
    ),
  );
  return value.map((item, index) => {
    const fields = byIndex.get(index);
    const sentItem = Array.isArray(sent) ? sent[index] : undefined;
    return fields === undefined ? null : project(item, fields, sentItem, `${path}/*`, shapes);
  });
}

function projectKeyedList(
  value: readonly unknown[],
  children: readonly OwnedChild[],
  sent: unknown,
  path: string,
  shapes: Map<string, Shape>,
): unknown {
  const keyed = children.flatMap(({ element, fields }) =>
    element.kind === 'key' ? [{ key: element.key, fields }] : [],
  );
  const names = [...new Set(keyed.flatMap(({ key }) => Object.keys(key)))].sort();
  shapes.set(path, names);

  const owned = new Map(keyed.map(({ key, fields }) => [itemKey(key, names), fields]));
  return value.flatMap((item) => {
    const fields = owned.get(itemKey(item, names));
    if (fields === undefined) {
      return [];
    }
    const projected = project(item, fields, sentItemOf(sent, item, names), `${path}/*`, shapes);
    const keys = names.flatMap((name) => {
      const part = memberOf(item, name);
      return part === undefined ? [] : [[name, part] as const];
    });
    return [isMap(projected) ? { ...Object.fromEntries(keys), ...projected } : projected];
  });
}

/** What we sent of an item may leave out key fields that the server then defaulted. */
function sentItemOf(sent: unknown, item: unknown, names: readonly string[]): unknown {
  const candidates = Array.isArray(sent) ? sent : [];
  return candidates.find((candidate) =>
    names.every((name) => {
      const part = memberOf(candidate, name);
      return part === undefined || canonicalJson(part) === canonicalJson(memberOf(item, name));
    }),
  );
}

/** The fields that an object sets, as a fieldsV1 set would say it if every list were owned as a whole. */
function fieldsOf(sent: KubeObject): JsonObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = sent;
  const { labels, annotations, finalizers } = metadata;
  const kept = Object.entries({ labels, annotations, finalizers }).filter(([, value]) => value !== undefined);
  return setOf(kept.length === 0 ? rest : { ...rest, metadata: Object.fromEntries(kept) });
}

function setOf(value: unknown): JsonObject {
  if (!isMap(value)) {
    return EMPTY;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [`f:${name}`, setOf(member)]),
  );
}
