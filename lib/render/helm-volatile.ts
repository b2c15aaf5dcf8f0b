import { HoldfastError } from '../model/errors.ts';
import { pointerOf } from '../model/json-pointer.ts';
import type { KubeObject, Manifest } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';
import { describeObject } from './describe-object.ts';

/** Named in one message. */
const SHOWN = 20;

/**
 * What comes out differently in several renders of one chart, kept as `volatile` of each manifest and told in a warning
 * for each object. Hooks run anew with every sync, so theirs does not matter.
 *
 * @throws HoldfastError `render-failed` naming objects that are not in all of them: what has a new name each time would
 * be created and deleted over and over
 */
export function markVolatile(
  manifests: readonly Manifest[],
  again: readonly (readonly Manifest[])[],
): { readonly manifests: readonly Manifest[]; readonly warnings: readonly string[] } {
  const own = byIdentity(manifests);
  const others = again.map(byIdentity);
  const fleeting = others.flatMap((other) => [...missingIn(own, other), ...missingIn(other, own)]);
  if (fleeting.length > 0) throw fleetingError(fleeting);
  const warnings: string[] = [];
  const marked = [...own].map(([identity, manifest]): Manifest => {
    if (manifest.hook !== undefined) return manifest;
    const volatile = new Set(
      others.flatMap((other) => differences(manifest.object, other.get(identity)?.object, [])),
    );
    if (volatile.size === 0) return manifest;
    warnings.push(warningOf(manifest.object, [...volatile]));
    return { ...manifest, volatile: [...volatile] };
  });
  return { manifests: marked, warnings };
}

type ByIdentity = ReadonlyMap<string, Manifest>;

function missingIn(one: ByIdentity, other: ByIdentity): readonly Manifest[] {
  return [...one].flatMap(([identity, manifest]) =>
    manifest.hook === undefined && !other.has(identity) ? [manifest] : [],
  );
}

/** Two documents of one identity are told apart by their order; later checks refuse them. */
function byIdentity(manifests: readonly Manifest[]): ByIdentity {
  const counts = new Map<string, number>();
  return new Map(
    manifests.map((manifest) => {
      const { apiVersion, kind, metadata } = manifest.object;
      const { namespace = '', name = '', generateName = '' } = metadata;
      const identity = JSON.stringify([apiVersion, kind, namespace, name, name === '' ? generateName : '']);
      const count = (counts.get(identity) ?? 0) + 1;
      counts.set(identity, count);
      return [`${identity} ${count}`, manifest];
    }),
  );
}

/** JSON pointers of what differs, as deep as both have the same shape. */
function differences(one: unknown, other: unknown, at: readonly string[]): readonly string[] {
  if (isObject(one) && isObject(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].flatMap((key) =>
      Object.hasOwn(one, key) && Object.hasOwn(other, key)
        ? differences(one[key], other[key], [...at, key])
        : [pointerOf([...at, key])],
    );
  }
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) {
    return one.flatMap((item, index) => differences(item, other[index], [...at, String(index)]));
  }
  return Object.is(one, other) ? [] : [pointerOf(at)];
}

function warningOf(object: KubeObject, pointers: readonly string[]): string {
  const shown = pointers.slice(0, SHOWN).join(', ');
  const more = pointers.length > SHOWN ? ` and ${pointers.length - SHOWN} more` : '';
  const comes = pointers.length === 1 ? 'comes' : 'come';
  return (
    `${describeObject(object)}: ${shown}${more} ${comes} out differently each time: what was applied first is kept ` +
    'until something else in this object changes; give it in the values instead'
  );
}

function fleetingError(manifests: readonly Manifest[]): HoldfastError {
  const names = [...new Set(manifests.map(({ object }) => describeObject(object)))];
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return new HoldfastError(
    'render-failed',
    `${names.slice(0, SHOWN).join(', ')}${more}: not in every render of the chart, for a name comes out differently ` +
      'each time: what has a new name with each render cannot be kept; give it a fixed one in the values',
  );
}
