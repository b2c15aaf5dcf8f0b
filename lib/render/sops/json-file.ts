import { textLeaf, textOf } from './leaf.ts';
import type { EncryptedFile, Leaf, LeafValue } from './leaf.ts';
import { parseOrderedJson } from './ordered-json.ts';
import type { OrderedJson } from './ordered-json.ts';
import { sopsFault } from './sops-fault.ts';

/** @throws HoldfastError `render-failed` */
export function readJsonFile(text: string): EncryptedFile {
  const { root, metadata } = takeMetadata(text);
  const leaves: Leaf[] = [];
  collect(root, [], leaves);
  return { metadata, leaves, write: () => Buffer.from(`${JSON.stringify(toPlain(root), null, '\t')}\n`) };
}

/**
 * Any bytes, as SOPS wraps them: `{"data": "ENC[…]", "sops": {…}}`.
 *
 * @throws HoldfastError `render-failed`
 */
export function readBinaryFile(text: string): EncryptedFile {
  const { root, metadata } = takeMetadata(text);
  const leaves: Leaf[] = [];
  collect(root, [], leaves);
  const [only, another] = leaves;
  if (only === undefined || another !== undefined || only.path.join() !== 'data' || only.value.type !== 'str')
    throw sopsFault('an encrypted binary file has a text "data" and nothing else');
  let bytes: Uint8Array | undefined;
  const data: Leaf = {
    ...only,
    replace: (value) => {
      if (value.type === 'str') bytes = value.bytes;
    },
  };
  return {
    metadata,
    leaves: [data],
    write: () => {
      if (bytes === undefined) throw sopsFault('data: is not encrypted as bytes');
      return bytes;
    },
  };
}

type OrderedMap = Extract<OrderedJson, { readonly kind: 'map' }>;

function takeMetadata(text: string): { readonly root: OrderedMap; readonly metadata: unknown } {
  const root = parseOrderedJson(text);
  if (root.kind !== 'map') throw sopsFault('expected an object at the top level');
  const metadata = root.entries.get('sops');
  root.entries.delete('sops');
  return { root, metadata: metadata === undefined ? undefined : toPlain(metadata) };
}

function collect(
  node: OrderedJson,
  path: readonly string[],
  leaves: Leaf[],
  put: (node: OrderedJson) => void = () => undefined,
): void {
  switch (node.kind) {
    case 'map':
      for (const [key, inner] of node.entries)
        collect(inner, [...path, key], leaves, (value) => node.entries.set(key, value));
      return;
    case 'list':
      for (const [index, item] of node.items.entries()) {
        collect(item, path, leaves, (value) => {
          node.items[index] = value;
        });
      }
      return;
    case 'leaf': {
      const value = valueOf(node.value);
      if (value === undefined) return;
      leaves.push({ path, value, replace: (plain) => put(leafOf(plain, path.join('.'))) });
    }
  }
}

/** Every number is a float64 to Go's decoder, and so to the MAC. */
function valueOf(value: string | number | boolean | null): LeafValue | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return textLeaf(value);
  return typeof value === 'number' ? { type: 'float', value } : { type: 'bool', value };
}

function leafOf(value: LeafValue, place: string): OrderedJson {
  switch (value.type) {
    case 'str':
      return { kind: 'leaf', value: textOf(value.bytes, place) };
    case 'int':
      if (!Number.isSafeInteger(Number(value.digits)))
        throw sopsFault(
          `${place}: a whole number beyond 2^53 that JSON cannot keep exactly here: put it in quotes`,
        );
      return { kind: 'leaf', value: Number(value.digits) };
    case 'time':
      return { kind: 'leaf', value: value.text };
    case 'float':
    case 'bool':
      return { kind: 'leaf', value: value.value };
  }
}

/** Order no longer matters. Without a prototype, so that no key means something else. */
function toPlain(node: OrderedJson): unknown {
  if (node.kind === 'leaf') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of node.entries) object[key] = toPlain(inner);
  return object;
}
