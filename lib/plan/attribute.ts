import type { JsonObject, ManagedFieldsEntry } from '../model/resource.ts';
import { canonicalJson } from './canonical-json.ts';
import { memberOf, ownedChildren, type PathElement } from './owned-fields.ts';

/** Said of a field whose writer managedFields does not name: a removed one, or one of a merged entry. */
export const UNKNOWN_MANAGER = 'unknown';

/**
 * Names that the API server makes up: more than ten Update managers merged into one, and an object that was there
 * before anybody kept track. Neither names a writer.
 */
const INVENTED_MANAGERS: ReadonlySet<string> = new Set(['ancient-changes', 'before-first-apply']);

export interface Attribution {
  readonly manager: string;
  /** Absent where the entry has none, as writes through `scale` on newer servers. */
  readonly time?: string;
}

/**
 * Who owns a field now. Of several owners the one that wrote last, ours only where there is no other:
 * a field that changed while we alone own it was written under our name.
 */
export function attribute(
  managedFields: readonly ManagedFieldsEntry[],
  path: readonly PathElement[],
  fieldManager: string,
): Attribution {
  const owners = managedFields.filter((entry) => ownsPath(entry.fieldsV1, path));
  const others = owners.filter((entry) => entry.manager !== fieldManager);
  const [newest] = (others.length > 0 ? others : owners).toSorted((a, b) =>
    (b.time ?? '') < (a.time ?? '') ? -1 : (b.time ?? '') > (a.time ?? '') ? 1 : 0,
  );
  const manager = newest?.manager;
  if (newest === undefined || manager === undefined || manager === '' || INVENTED_MANAGERS.has(manager)) {
    return { manager: UNKNOWN_MANAGER };
  }
  return newest.time === undefined ? { manager } : { manager, time: newest.time };
}

/** Whether a fieldsV1 set owns a path, by itself or as part of a leaf above it. */
export function ownsPath(fields: JsonObject | undefined, path: readonly PathElement[]): boolean {
  let node: JsonObject | undefined = fields;
  for (const [depth, element] of path.entries()) {
    if (node === undefined) {
      return false;
    }
    if (depth > 0 && Object.keys(node).length === 0) {
      return true;
    }
    node = childAt(node, element);
  }
  return node !== undefined;
}

function childAt(node: JsonObject, element: PathElement): JsonObject | undefined {
  if (element.kind === 'field') {
    return memberOf(node, `f:${element.name}`) as JsonObject | undefined;
  }
  return ownedChildren(node).find((child) => sameElement(child.element, element))?.fields;
}

function sameElement(owned: PathElement, wanted: PathElement): boolean {
  switch (owned.kind) {
    case 'field':
      return wanted.kind === 'field' && wanted.name === owned.name;
    case 'index':
      return wanted.kind === 'index' && wanted.index === owned.index;
    case 'value':
      return wanted.kind === 'value' && canonicalJson(wanted.value) === canonicalJson(owned.value);
    case 'key':
      // An entry of an older server may name fewer key fields than another one.
      return (
        wanted.kind === 'key' &&
        Object.entries(owned.key).every(
          ([name, part]) => canonicalJson(part) === canonicalJson(memberOf(wanted.key, name)),
        )
      );
  }
}
