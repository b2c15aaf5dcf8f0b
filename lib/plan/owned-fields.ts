import type { JsonObject, ManagedFieldsEntry, ObjectMeta } from '../model/resource.ts';

/** One step of a path in a fieldsV1 set: a field, a list item by its key fields, a set member, or a position. */
export type PathElement =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'key'; readonly key: JsonObject }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'index'; readonly index: number };

export interface OwnedChild {
  readonly element: PathElement;
  readonly fields: JsonObject;
}

/** Our own entry: the one that server-side apply under this manager keeps for the object itself. */
export function ownEntryOf(metadata: ObjectMeta, fieldManager: string): ManagedFieldsEntry | undefined {
  return metadata.managedFields?.find(
    (entry) =>
      entry.manager === fieldManager &&
      entry.operation === 'Apply' &&
      (entry.subresource === undefined || entry.subresource === ''),
  );
}

/**
 * The children of a node of a fieldsV1 set; none for a leaf, which owns all that lies below it.
 * What is not understood is left out.
 */
export function ownedChildren(fields: JsonObject): readonly OwnedChild[] {
  return Object.entries(fields).flatMap(([name, child]) => {
    const element = parsePathElement(name);
    return element !== undefined && isMap(child) ? [{ element, fields: child }] : [];
  });
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own member. A ConfigMap may well have a key called `__proto__`. */
export function memberOf(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** https://github.com/kubernetes-sigs/structured-merge-diff, fieldpath/serialize-pe.go; `.` is the node itself. */
function parsePathElement(name: string): PathElement | undefined {
  const text = name.slice(2);
  switch (name.slice(0, 2)) {
    case 'f:':
      return { kind: 'field', name: text };
    case 'k:': {
      const key = parseJson(text);
      return isMap(key) ? { kind: 'key', key: key as JsonObject } : undefined;
    }
    case 'v:': {
      const value = parseJson(text);
      return value === undefined ? undefined : { kind: 'value', value };
    }
    case 'i:':
      return /^\d+$/.test(text) ? { kind: 'index', index: Number(text) } : undefined;
    default:
      return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
