import { groupOf, type KubeObject, resourceKey } from '../model/resource.ts';
import { canonicalJson } from './canonical-json.ts';
import { type HashKey, keyedHash } from './keyed-hash.ts';
import { isMap } from './owned-fields.ts';

/** kubectl keeps a whole copy of the object here, a Secret's values included. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export function isSecret(object: { readonly apiVersion: string; readonly kind: string }): boolean {
  return object.kind === 'Secret' && groupOf(object.apiVersion) === '';
}

/**
 * The object with every value of a Secret replaced by its keyed hash; other kinds as they are.
 * The hash covers the object's identity and the field, so that equal values in two places do not look equal.
 */
export function maskSecrets<T extends KubeObject>(object: T, key: HashKey): T {
  return replaceSecretValues(object, (path, value) =>
    keyedHash(key, canonicalJson([identityOf(object), path, value])),
  );
}

/** Replaces each value of a Secret (data, stringData, and kubectl's copy of them) by what `replace` says. */
export function replaceSecretValues<T extends KubeObject>(
  object: T,
  replace: (path: string, value: unknown) => unknown,
): T {
  if (!isSecret(object)) {
    return object;
  }
  const { annotations } = object.metadata;
  const copy = isMap(annotations) && Object.hasOwn(annotations, LAST_APPLIED);
  return {
    ...object,
    ...replaceMembers(object, 'data', replace),
    ...replaceMembers(object, 'stringData', replace),
    ...(copy
      ? {
          metadata: {
            ...object.metadata,
            annotations: { ...annotations, [LAST_APPLIED]: replace('annotation', annotations[LAST_APPLIED]) },
          },
        }
      : {}),
  };
}

function replaceMembers(
  object: KubeObject,
  field: 'data' | 'stringData',
  replace: (path: string, value: unknown) => unknown,
): Record<string, unknown> {
  const values = object[field];
  if (values === undefined || values === null) {
    return {};
  }
  // Anything but a map is refused by the API server, and may hold the value all the same.
  return isMap(values)
    ? {
        [field]: Object.fromEntries(
          Object.entries(values).map(([name, value]) => [name, replace(`data/${name}`, value)]),
        ),
      }
    : { [field]: replace('data', values) };
}

function identityOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  const id = { group: '', kind: 'Secret', name: name ?? '' };
  return resourceKey(namespace === undefined ? id : { ...id, namespace });
}
