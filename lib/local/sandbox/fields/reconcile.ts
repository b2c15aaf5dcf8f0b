import { type Atom, fieldType } from '../schema/atom.ts';
import { type FieldPath, type FieldSet, isEmpty, LEAF_SET } from './field-set.ts';
import { ownedFields } from './owned-fields.ts';
import { fieldNameOf } from './path-element.ts';

/**
 * Fits a stored field set to the schema, in case a type became atomic or granular since it was written
 * (structured-merge-diff typed/reconcile_schema.go). The API server cannot tell such a change from an owner that is
 * left with `labels` alone: that one then owns every label of the live object. So it does here.
 */
export function reconcileSet(atom: Atom, set: FieldSet, live: unknown): FieldSet {
  let fields: FieldSet | undefined;
  return reconcileAt(atom, set, [], () => {
    fields ??= ownedFields(atom, live);
    return fields;
  });
}

/** Sets that fit are the rule: they are returned as they are, and the live object's fields are not even looked up. */
function reconcileAt(atom: Atom, set: FieldSet, path: FieldPath, live: () => FieldSet): FieldSet {
  if (atom.kind === 'scalar' || atom.kind === 'any') return set;
  const alone = path.length > 0 && set.member && set.children.size === 0;
  if (isAtomic(atom)) return !alone && !isEmpty(set) ? LEAF_SET : set;
  if (alone) {
    const below = path.reduce<FieldSet | undefined>((at, element) => at?.children.get(element), live());
    return below === undefined ? set : { member: true, children: below.children };
  }
  let changed: Map<string, FieldSet> | undefined;
  for (const [element, child] of set.children) {
    const type = elementType(atom, element);
    if (type === undefined) continue;
    const fitted = reconcileAt(type, child, [...path, element], live);
    if (fitted === child) continue;
    changed ??= new Map(set.children);
    changed.set(element, fitted);
  }
  return changed === undefined ? set : { member: set.member, children: changed };
}

function isAtomic(atom: Atom): boolean {
  return atom.kind === 'list' ? atom.relation === 'atomic' : atom.kind === 'map' && atom.atomic;
}

function elementType(atom: Atom, element: string): Atom | undefined {
  const name = fieldNameOf(element);
  if (atom.kind === 'map') return name === undefined ? undefined : fieldType(atom, name)?.();
  return atom.kind === 'list' && name === undefined ? atom.element() : undefined;
}
