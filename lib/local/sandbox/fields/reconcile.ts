import { type Atom, fieldType } from '../schema/atom.ts';
import { type FieldSet, isEmpty, LEAF_SET, union } from './field-set.ts';
import { ownedFields } from './owned-fields.ts';
import { fieldNameOf } from './path-element.ts';

/**
 * Fits a stored field set to the schema, in case a type became atomic or granular since it was written
 * (structured-merge-diff typed/reconcile_schema.go). The API server cannot tell such a change from an owner that is
 * left with `labels` alone: that one then owns every label of the live object. So it does here.
 */
export function reconcileSet(atom: Atom, set: FieldSet, live: unknown): FieldSet {
  return reconcileAt(atom, set, ownedFields(atom, live), false);
}

function reconcileAt(atom: Atom, set: FieldSet, live: FieldSet | undefined, whole: boolean): FieldSet {
  if (atom.kind === 'scalar' || atom.kind === 'any') return set;
  if (isAtomic(atom)) return !whole && !isEmpty(set) ? LEAF_SET : set;
  if (whole) return live === undefined ? set : union(set, { member: true, children: live.children });
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const type = elementType(atom, element);
    const below = live?.children.get(element);
    const alone = child.member && child.children.size === 0;
    children.set(element, type === undefined ? child : reconcileAt(type, child, below, alone));
  }
  return { member: set.member, children };
}

function isAtomic(atom: Atom): boolean {
  return atom.kind === 'list' ? atom.relation === 'atomic' : atom.kind === 'map' && atom.atomic;
}

function elementType(atom: Atom, element: string): Atom | undefined {
  const name = fieldNameOf(element);
  if (atom.kind === 'map') return name === undefined ? undefined : fieldType(atom, name)?.();
  return atom.kind === 'list' && name === undefined ? atom.element() : undefined;
}
