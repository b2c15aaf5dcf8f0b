import { isRecord } from '../objects/sandbox-object.ts';
import { type Atom, fieldType, type ListAtom, settle } from '../schema/atom.ts';
import { badRequest } from './status.ts';

const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';
type Map_ = Record<string, unknown>;

/**
 * A strategic merge patch, as `kubectl edit`, `label` and `patch` send it: lists with a merge key are merged item by
 * item, `$patch`, `$retainKeys`, `$deleteFromPrimitiveList` and `$setElementOrder` are followed.
 * @throws ApiError 400 when the patch does not fit
 */
export function strategicMerge(atom: Atom, target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const base: Map_ = isRecord(target) ? target : {};
  const directive = patch['$patch'];
  if (directive === 'delete') return {};
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive !== undefined && directive !== 'merge') {
    throw badRequest(`unknown patch type "${String(directive)}"`);
  }
  const out = retained(base, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    if (value === null) delete out[key];
    else out[key] = mergeField(fieldAtom(atom, key), out[key], value, patch[`${ORDER}${key}`]);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith(DELETE_PRIMITIVES)) continue;
    const field = key.slice(DELETE_PRIMITIVES.length);
    const gone = new Set(Array.isArray(value) ? value : []);
    const list = out[field];
    if (Array.isArray(list)) out[field] = list.filter((item) => !gone.has(item));
  }
  return out;
}

function fieldAtom(atom: Atom, key: string): Atom | undefined {
  return atom.kind === 'map' ? fieldType(atom, key)?.() : undefined;
}

function retained(base: Map_, patch: Map_): Map_ {
  const keys = patch['$retainKeys'];
  if (!Array.isArray(keys)) return { ...base };
  return Object.fromEntries(Object.entries(base).filter(([key]) => keys.includes(key)));
}

function mergeField(atom: Atom | undefined, target: unknown, value: unknown, order: unknown): unknown {
  if (Array.isArray(value)) {
    const form = atom === undefined ? undefined : settle(atom, value);
    return form?.kind === 'list' ? mergeList(form, target, value, order) : value;
  }
  if (!isRecord(value)) return value;
  return strategicMerge(atom ?? { kind: 'any', atomic: false }, target, value);
}

function mergeList(form: ListAtom, target: unknown, patch: readonly unknown[], order: unknown): unknown {
  const base: readonly unknown[] = Array.isArray(target) ? target : [];
  const replace = patch.some((item) => isRecord(item) && item['$patch'] === 'replace');
  if (replace) return patch.filter((item) => !(isRecord(item) && item['$patch'] === 'replace'));
  if (form.relation === 'set') {
    return inOrder([...new Set([...base, ...patch])], base, patch, order, (item) => item);
  }
  const key = form.patchKey ?? (form.relation === 'map' ? form.keys[0] : undefined);
  if (key === undefined) return patch;
  return mergeItems(form, key, base, patch, order);
}

function mergeItems(
  form: ListAtom,
  key: string,
  base: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
): unknown {
  const element = form.element();
  let out = [...base];
  for (const item of patch) {
    if (!isRecord(item)) throw badRequest(`expected an object with ${key} in the list`);
    const id = item[key];
    if (id === undefined)
      throw badRequest(`map: ${Object.keys(item).join(' ')} does not contain declared merge key: ${key}`);
    if (item['$patch'] === 'delete') {
      out = out.filter((existing) => !(isRecord(existing) && existing[key] === id));
      continue;
    }
    const place = out.findIndex((existing) => isRecord(existing) && existing[key] === id);
    if (place < 0) out.push(withoutDirectives(item));
    else out[place] = strategicMerge(element, out[place], item);
  }
  return inOrder(out, base, patch, order, (item) => (isRecord(item) ? item[key] : item));
}

/**
 * What the patch names comes in the patch's order, everything else before the first of these that it preceded
 * (mergeSortedSlice in k8s.io/apimachinery strategicpatch).
 */
function inOrder(
  merged: readonly unknown[],
  base: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
  idOf: (item: unknown) => unknown,
): readonly unknown[] {
  const wanted = (Array.isArray(order) ? (order as readonly unknown[]) : patch).map(idOf);
  const served = base.map(idOf);
  const byPlace = (places: readonly unknown[]) => (a: unknown, b: unknown) =>
    places.indexOf(idOf(a)) - places.indexOf(idOf(b));
  const named = merged.filter((item) => wanted.includes(idOf(item))).sort(byPlace(wanted));
  const others = merged.filter((item) => !wanted.includes(idOf(item))).sort(byPlace(served));
  const out: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const place = served.indexOf(idOf(named[0]));
    const first = place >= 0 && served.indexOf(idOf(others[0])) < place ? others : named;
    out.push(first.shift());
  }
  return [...out, ...named, ...others];
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => !key.startsWith('$') && child !== null)
      .map(([key, child]) => [key, withoutDirectives(child)]),
  );
}
