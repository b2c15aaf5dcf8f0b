import type { KubeObject } from '../model/resource.ts';
import { pointerOf, sameValue } from './compare-projection.ts';
import { isSecret } from './mask-secrets.ts';
import { isMap, memberOf, type PathElement } from './owned-fields.ts';

/** A field that differs between two states of an object; a side that lacks it is undefined. */
export interface FieldDiff {
  /** JSON pointer; items of lists whose items have names stand in it as `[name=…]`. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Shown in the place of every value of a Secret. */
export const MASKED = '(secret)';

const SERVER_METADATA: readonly string[] = [
  'managedFields',
  'resourceVersion',
  'generation',
  'uid',
  'creationTimestamp',
  'selfLink',
];

/**
 * What differs, for people; Secret values never show. What the server keeps for itself (status, versions, managed
 * fields) does not count.
 * @param options.onlyAfter leaves out what `after` does not mention: for a rendered object beside a live one, which
 * the server filled in
 */
export function diffObjects(
  before: KubeObject,
  after: KubeObject,
  options: { readonly onlyAfter?: boolean } = {},
): readonly FieldDiff[] {
  const found: FieldDiff[] = [];
  const secret = isSecret(before) || isSecret(after);
  diff(comparable(before), comparable(after), [], options.onlyAfter ?? false, (path, left, right) => {
    const masked = secret && holdsSecret(path);
    found.push({
      path: pointerOf(path),
      ...(left === undefined ? {} : { before: masked ? MASKED : left }),
      ...(right === undefined ? {} : { after: masked ? MASKED : right }),
    });
  });
  return found;
}

type Found = (path: readonly PathElement[], before: unknown, after: unknown) => void;

function diff(
  before: unknown,
  after: unknown,
  path: readonly PathElement[],
  onlyAfter: boolean,
  found: Found,
): void {
  if (isMap(before) && isMap(after)) {
    const names = onlyAfter ? Object.keys(after) : [...Object.keys(before), ...Object.keys(after)];
    for (const name of [...new Set(names)].sort()) {
      const step: PathElement = { kind: 'field', name };
      diff(memberOf(before, name), memberOf(after, name), [...path, step], onlyAfter, found);
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && isNamed(before) && isNamed(after)) {
    const left = byName(before);
    const right = byName(after);
    for (const name of new Set(onlyAfter ? right.keys() : [...left.keys(), ...right.keys()])) {
      const step: PathElement = { kind: 'key', key: { name } };
      diff(left.get(name), right.get(name), [...path, step], onlyAfter, found);
    }
    return;
  }
  if (!sameValue(before, after)) {
    found(path, before ?? undefined, after ?? undefined);
  }
}

function isNamed(items: readonly unknown[]): boolean {
  const names = items.map((item) => memberOf(item, 'name'));
  return names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
}

function byName(items: readonly unknown[]): ReadonlyMap<string, unknown> {
  return new Map(items.map((item) => [String(memberOf(item, 'name')), item]));
}

/** A Secret's stringData is what the server writes into data; both sides are brought to that form. */
function comparable(object: KubeObject): unknown {
  const { status: _status, ...rest } = object;
  const metadata = Object.fromEntries(
    Object.entries(object.metadata).filter(([name]) => !SERVER_METADATA.includes(name)),
  );
  if (!isSecret(object) || !isMap(object['stringData'])) {
    return { ...rest, metadata };
  }
  const { stringData, ...secret } = rest as KubeObject;
  const encoded = Object.entries(stringData as Record<string, unknown>).map(
    ([name, value]) => [name, Buffer.from(String(value)).toString('base64')] as const,
  );
  const data = isMap(secret['data']) ? secret['data'] : {};
  return { ...secret, metadata, data: { ...data, ...Object.fromEntries(encoded) } };
}

// All but what is known to be harmless: a difference may well be of a whole part of the object.
function holdsSecret(path: readonly PathElement[]): boolean {
  const [first, second, third] = path.map((element) => (element.kind === 'field' ? element.name : ''));
  return !(
    first === 'apiVersion' ||
    first === 'kind' ||
    first === 'type' ||
    first === 'immutable' ||
    (first === 'metadata' &&
      second !== undefined &&
      (second !== 'annotations' || (third !== undefined && !third.endsWith('last-applied-configuration'))))
  );
}
