/**
 * A set of field paths, as a tree. Elements are written as in fieldsV1: `f:name`, `k:{"name":"x"}`, `v:"x"`.
 * `member` says that the path that ends here is in the set; the set may also hold paths below it.
 */
export interface FieldSet {
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export type FieldPath = readonly string[];

const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();
export const EMPTY_SET: FieldSet = { member: false, children: NO_CHILDREN };
export const LEAF_SET: FieldSet = { member: true, children: NO_CHILDREN };

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

export function fieldSet(paths: Iterable<FieldPath>): FieldSet {
  const root = newNode();
  for (const path of paths) {
    let node = root;
    for (const element of path) {
      let child = node.children.get(element);
      if (child === undefined) {
        child = newNode();
        node.children.set(element, child);
      }
      node = child;
    }
    node.member = true;
  }
  return root;
}

interface MutableNode {
  member: boolean;
  readonly children: Map<string, MutableNode>;
}

function newNode(): MutableNode {
  return { member: false, children: new Map() };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const other = children.get(element);
    children.set(element, other === undefined ? child : union(other, child));
  }
  return { member: a.member || b.member, children };
}

/** The paths of `a` that are not in `b`. What lies below a path of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(b)) return a;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    const rest = other === undefined ? child : difference(child, other);
    if (!isEmpty(rest)) children.set(element, rest);
  }
  return { member: a.member && !b.member, children };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    const common = other === undefined ? EMPTY_SET : intersection(child, other);
    if (!isEmpty(common)) children.set(element, common);
  }
  return { member: a.member && b.member, children };
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !equalSets(child, other)) return false;
  }
  return true;
}

/** Every path of the set in the API server's order: the members of a level before what lies below them, each sorted. */
export function* pathsOf(set: FieldSet, prefix: FieldPath = []): Generator<FieldPath> {
  const elements = [...set.children.keys()].sort();
  for (const element of elements) {
    if (set.children.get(element)?.member === true) yield [...prefix, element];
  }
  for (const element of elements) {
    const child = set.children.get(element);
    if (child !== undefined) yield* pathsOf(child, [...prefix, element]);
  }
}

/** `.spec.ports[port=80,protocol="TCP"].name`, as the API server names a field in a conflict. */
export function printPath(path: FieldPath): string {
  return path.map(printElement).join('');
}

function printElement(element: string): string {
  const body = element.slice(2);
  if (element.startsWith('f:')) return `.${body}`;
  if (element.startsWith('v:')) return `[=${body}]`;
  if (!element.startsWith('k:')) return `[${body}]`;
  const keys = JSON.parse(body) as Record<string, unknown>;
  return `[${Object.entries(keys)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`;
}
