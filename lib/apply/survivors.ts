import type { Projection } from '../model/inventory.ts';
import type { JsonObject, KubeObject, LiveObject, ManagedFieldsEntry } from '../model/resource.ts';
import { canonicalJson } from '../plan/canonical-json.ts';
import { isMap, memberOf, ownedChildren, type PathElement } from '../plan/owned-fields.ts';
import { itemKey, type Shape, schemaStep, shapesOf } from '../plan/projection.ts';

/** A field that left Git and is still in the live object, because somebody else has come to own it. */
export interface Survivor {
  readonly path: readonly PathElement[];
  /** Who owns it now, in the order of managedFields. */
  readonly managers: readonly string[];
  /** A merge patch can take it away, and nobody who is meant to own it would be robbed. */
  readonly removable: boolean;
}

interface Walk {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly others: readonly ManagedFieldsEntry[];
  readonly found: Survivor[];
}

/** Set by the server or by Holdfast itself, never from a manifest. */
const OWN_METADATA = new Set(['labels', 'annotations', 'finalizers', 'ownerReferences']);
/** Their writes are the work of the cluster, not edits by hand. */
const CONTROL_PLANE = /^(kube-|k3s$|k0s$|cloud-controller-manager$|cluster-autoscaler$|vpa-)/;

/**
 * Fields of `previous` that `sent` has no more and that `live` still has under another manager. A field that nobody
 * owns is a default that the server put back, and is left alone.
 */
export function findSurvivors(input: {
  readonly previous: Projection;
  readonly sent: KubeObject;
  readonly live: LiveObject;
  readonly fieldManager: string;
}): readonly Survivor[] {
  const { previous, sent, live, fieldManager } = input;
  const walk: Walk = {
    shapes: shapesOf(previous),
    others: (live.metadata.managedFields ?? []).filter(
      (entry) => entry.manager !== fieldManager || entry.operation !== 'Apply',
    ),
    found: [],
  };
  const wanted = withStringData(sent);
  for (const [name, before] of Object.entries(previous)) {
    if (name.startsWith('$') || name === 'apiVersion' || name === 'kind' || name === 'status') {
      continue;
    }
    const part = name === 'metadata' ? ownMetadata(before) : before;
    visit(walk, part, memberOf(wanted, name), memberOf(live, name), [{ kind: 'field', name }], `/${name}`);
  }
  return walk.found;
}

/** The JSON merge patch that takes the removable ones away; undefined when there are none. */
export function removalPatch(
  survivors: readonly Survivor[],
  live: LiveObject,
): Readonly<Record<string, unknown>> | undefined {
  const removable = survivors.filter((survivor) => survivor.removable);
  if (removable.length === 0) {
    return undefined;
  }
  const { uid, resourceVersion } = live.metadata;
  const root = new Map<string, unknown>([['metadata', new Map(Object.entries({ uid, resourceVersion }))]]);
  for (const survivor of removable) {
    let node = root;
    survivor.path.forEach((element, index) => {
      if (element.kind !== 'field') {
        return;
      }
      if (index === survivor.path.length - 1) {
        node.set(element.name, null);
        return;
      }
      const next = node.get(element.name);
      const child = next instanceof Map ? next : new Map<string, unknown>();
      node.set(element.name, child);
      node = child;
    });
  }
  return toObject(root);
}

/** `.spec.template.metadata.labels.team` */
export function describePath(path: readonly PathElement[]): string {
  return path
    .map((element) => {
      switch (element.kind) {
        case 'field':
          return /^[\w-]+$/.test(element.name) ? `.${element.name}` : `[${JSON.stringify(element.name)}]`;
        case 'key':
          return `[${Object.entries(element.key)
            .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
            .join(',')}]`;
        case 'value':
          return `[=${JSON.stringify(element.value)}]`;
        case 'index':
          return `[${element.index}]`;
      }
    })
    .join('');
}

function visit(
  walk: Walk,
  before: unknown,
  sent: unknown,
  live: unknown,
  path: readonly PathElement[],
  schemaPath: string,
): void {
  if (live === undefined || live === null || before === undefined) {
    return;
  }
  const shape = walk.shapes.get(schemaPath);
  if (isMap(before) && shape !== 'whole' && Object.keys(before).length > 0) {
    // Sent as something that is no map: the whole field was replaced, and the server has dropped what was in it.
    if (!isMap(live) || (sent !== undefined && sent !== null && !isMap(sent))) {
      return;
    }
    for (const [name, member] of Object.entries(before)) {
      const step = schemaStep(schemaPath, name);
      visit(
        walk,
        member,
        memberOf(sent, name),
        memberOf(live, name),
        [...path, { kind: 'field', name }],
        step,
      );
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(shape)) {
    visitItems(walk, before, sent, live, path, schemaPath, shape as readonly string[]);
    return;
  }
  if (Array.isArray(before) && shape === 'set') {
    visitSet(walk, before, sent, live, path);
    return;
  }
  if (sent === undefined || sent === null) {
    note(walk, path);
  }
}

function visitItems(
  walk: Walk,
  before: readonly unknown[],
  sent: unknown,
  live: unknown,
  path: readonly PathElement[],
  schemaPath: string,
  names: readonly string[],
): void {
  const sentItems = Array.isArray(sent) ? sent : [];
  const liveItems = new Map((Array.isArray(live) ? live : []).map((item) => [itemKey(item, names), item]));
  for (const item of before) {
    const liveItem = liveItems.get(itemKey(item, names));
    if (liveItem === undefined) {
      continue;
    }
    const key = Object.fromEntries(names.map((name) => [name, memberOf(item, name)])) as JsonObject;
    const itemPath: readonly PathElement[] = [...path, { kind: 'key', key }];
    // A key field that was left out in Git is one that the server defaulted.
    const sentItem = sentItems.find((each) =>
      names.every((name) => {
        const part = memberOf(each, name);
        return part === undefined || canonicalJson(part) === canonicalJson(memberOf(item, name));
      }),
    );
    if (sentItem === undefined) {
      note(walk, itemPath);
    } else if (isMap(item)) {
      for (const [name, member] of Object.entries(item)) {
        if (!names.includes(name)) {
          visit(
            walk,
            member,
            memberOf(sentItem, name),
            memberOf(liveItem, name),
            [...itemPath, { kind: 'field', name }],
            schemaStep(`${schemaPath}/*`, name),
          );
        }
      }
    }
  }
}

function visitSet(
  walk: Walk,
  before: readonly unknown[],
  sent: unknown,
  live: unknown,
  path: readonly PathElement[],
): void {
  const texts = (value: unknown): ReadonlySet<string> =>
    new Set((Array.isArray(value) ? value : []).map((each) => canonicalJson(each)));
  const wanted = texts(sent);
  const present = texts(live);
  for (const value of before) {
    const text = canonicalJson(value);
    if (!wanted.has(text) && present.has(text)) {
      note(walk, [...path, { kind: 'value', value }]);
    }
  }
}

function note(walk: Walk, path: readonly PathElement[]): void {
  const owners = walk.others.filter((entry) => owns(entry.fieldsV1 ?? {}, path));
  if (owners.length === 0) {
    return;
  }
  walk.found.push({
    path,
    managers: [...new Set(owners.map((entry) => entry.manager ?? 'unknown'))],
    removable: path.every((element) => element.kind === 'field') && owners.every(isEditByHand),
  });
}

function isEditByHand(entry: ManagedFieldsEntry): boolean {
  return (
    entry.operation === 'Update' &&
    (entry.subresource === undefined || entry.subresource === '') &&
    !CONTROL_PLANE.test(entry.manager ?? '')
  );
}

/** Whether a fieldsV1 set holds the path, something below it, or a leaf above it. */
function owns(fields: JsonObject, path: readonly PathElement[]): boolean {
  let node = fields;
  for (const [depth, element] of path.entries()) {
    // A leaf owns all that lies below it; a node with only `.` in it owns just its own existence.
    if (Object.keys(node).length === 0) {
      return depth > 0;
    }
    const child = ownedChildren(node).find((each) => isSameElement(each.element, element));
    if (child === undefined) {
      return false;
    }
    node = child.fields;
  }
  return true;
}

function isSameElement(left: PathElement, right: PathElement): boolean {
  return canonicalJson(left) === canonicalJson(right);
}

function ownMetadata(before: unknown): unknown {
  return isMap(before)
    ? Object.fromEntries(Object.entries(before).filter(([name]) => OWN_METADATA.has(name)))
    : before;
}

/** A Secret's stringData is stored as data. */
function withStringData(sent: KubeObject): unknown {
  if (sent.kind !== 'Secret' || !isMap(sent['stringData'])) {
    return sent;
  }
  const data = isMap(sent['data']) ? sent['data'] : {};
  return { ...sent, data: { ...data, ...sent['stringData'] } };
}

function toObject(map: ReadonlyMap<string, unknown>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    [...map].map(([name, value]) => [name, value instanceof Map ? toObject(value) : value]),
  );
}
