/** A reference to a type; a function, because types refer to themselves (JSONSchemaProps). */
export type TypeRef = () => Atom;

export interface ScalarAtom {
  readonly kind: 'scalar';
  /** `quantity` and `untyped` take any scalar; a quantity is written back in its canonical form. */
  readonly scalar: 'string' | 'number' | 'boolean' | 'quantity' | 'untyped';
}

export interface ListAtom {
  readonly kind: 'list';
  /** `map` is an associative list, whose items are told apart by `keys`. */
  readonly relation: 'atomic' | 'set' | 'map';
  readonly keys: readonly string[];
  readonly element: TypeRef;
  /** Merge key of a strategic merge patch where it differs from `keys` (Service ports: `port`). */
  readonly patchKey?: string;
}

export interface MapAtom {
  readonly kind: 'map';
  readonly atomic: boolean;
  /** Present on structs of built-in kinds: decides which zero values are written (shape.ts). */
  readonly name?: string;
  readonly fields: ReadonlyMap<string, TypeRef>;
  readonly required: ReadonlySet<string>;
  /** Defaults of fields that may be keys of an associative list. */
  readonly defaults?: ReadonlyMap<string, unknown>;
  /** Type of the values whose key is not in `fields`; absent: such a key is not declared in the schema. */
  readonly element?: TypeRef;
}

/** A place where anything may stand: its form follows from the value. */
export interface AnyAtom {
  readonly kind: 'any';
  /** Owned as a whole, or (maps) field by field. */
  readonly atomic: boolean;
}

export type Atom = ScalarAtom | ListAtom | MapAtom | AnyAtom;

const NO_FIELDS: ReadonlyMap<string, TypeRef> = new Map();
const NOTHING_REQUIRED: ReadonlySet<string> = new Set();

export function scalar(kind: ScalarAtom['scalar']): TypeRef {
  const atom: ScalarAtom = { kind: 'scalar', scalar: kind };
  return () => atom;
}

export function mapOf(element: TypeRef, atomic = false): TypeRef {
  const atom: MapAtom = {
    kind: 'map',
    atomic,
    fields: NO_FIELDS,
    required: NOTHING_REQUIRED,
    element,
  };
  return () => atom;
}

export function listOf(
  element: TypeRef,
  relation: ListAtom['relation'],
  keys: readonly string[] = [],
  patchKey?: string,
): TypeRef {
  const atom: ListAtom = {
    kind: 'list',
    relation,
    keys,
    element,
    ...(patchKey === undefined ? {} : { patchKey }),
  };
  return () => atom;
}

const ANY_ATOMIC: AnyAtom = { kind: 'any', atomic: true };
const ANY_DEDUCED: AnyAtom = { kind: 'any', atomic: false };
/** Owned as a whole, whatever it is. */
export const anyAtomic: TypeRef = () => ANY_ATOMIC;
/** Maps are owned field by field, lists as a whole. */
export const anyDeduced: TypeRef = () => ANY_DEDUCED;

const UNTYPED_SCALAR: ScalarAtom = { kind: 'scalar', scalar: 'untyped' };
const untypedList = (element: TypeRef): ListAtom => ({ kind: 'list', relation: 'atomic', keys: [], element });
const ATOMIC_LIST = untypedList(anyAtomic);
const DEDUCED_LIST = untypedList(anyDeduced);
const untypedMap = (element: TypeRef, atomic: boolean): MapAtom => ({
  kind: 'map',
  atomic,
  fields: NO_FIELDS,
  required: NOTHING_REQUIRED,
  element,
});
const ATOMIC_MAP = untypedMap(anyAtomic, true);
const DEDUCED_MAP = untypedMap(anyDeduced, false);

/** The form of `atom` for this value: settles `any`, leaves the others. null and undefined take any form. */
export function settle(atom: Atom, value: unknown): ScalarAtom | ListAtom | MapAtom {
  if (atom.kind !== 'any') return atom;
  if (Array.isArray(value)) return atom.atomic ? ATOMIC_LIST : DEDUCED_LIST;
  if (typeof value === 'object' && value !== null) return atom.atomic ? ATOMIC_MAP : DEDUCED_MAP;
  return UNTYPED_SCALAR;
}

/** The type of a map's value; undefined where the schema does not declare the key. */
export function fieldType(atom: MapAtom, key: string): TypeRef | undefined {
  return atom.fields.get(key) ?? atom.element;
}
