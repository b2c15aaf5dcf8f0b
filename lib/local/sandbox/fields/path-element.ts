import type { ListAtom } from '../schema/atom.ts';

/** An element that cannot be told apart from its neighbours; the message is the API server's. */
export class ItemKeyError extends Error {}

/** How one item of an associative list is addressed: by its keys, or by its value in a set. @throws ItemKeyError */
export function itemElement(atom: ListAtom, item: unknown): string {
  if (atom.relation === 'set') {
    if (typeof item === 'object' && item !== null) {
      throw new ItemKeyError("associative list without keys has an element that's a map type");
    }
    return `v:${JSON.stringify(item)}`;
  }
  if (item === null || typeof item !== 'object' || Array.isArray(item)) {
    throw new ItemKeyError('associative list with keys may not have non-map elements');
  }
  const keys: Record<string, unknown> = {};
  for (const key of [...atom.keys].sort()) {
    const value = (item as Record<string, unknown>)[key] ?? keyDefault(atom, key);
    if (value === undefined) {
      throw new ItemKeyError(
        `associative list with keys has an element that omits key field ${JSON.stringify(key)} (and doesn't have default value)`,
      );
    }
    keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** A key that is not given has the default of its field; required fields of built-in kinds have their zero. */
function keyDefault(atom: ListAtom, key: string): unknown {
  const element = atom.element();
  if (element.kind !== 'map') return undefined;
  const given = element.defaults?.get(key);
  if (given !== undefined || !element.required.has(key)) return given;
  const type = element.fields.get(key)?.();
  return type?.kind === 'scalar' && type.scalar === 'number' ? 0 : '';
}

export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** The field that `f:name` addresses; undefined for items of lists. */
export function fieldNameOf(element: string): string | undefined {
  return element.startsWith('f:') ? element.slice(2) : undefined;
}
