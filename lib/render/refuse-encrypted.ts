import type { Json, JsonObject, KubeObject, Manifest } from '../model/resource.ts';
import { describeObject } from './describe-object.ts';
import { isObject } from './parse-manifests.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';

const DECRYPT = 'kustomize.toolkit.fluxcd.io/decrypt';

/**
 * What SOPS encrypted, and was not decrypted before, is never applied: the cluster would hold the ciphertext as if it were the secret, and whatever
 * reads it would break at some later time.
 *
 * @throws HoldfastError `render-failed` naming every such object
 */
export function refuseEncrypted(manifests: readonly Manifest[]): void {
  const faults = manifests.flatMap(({ object, origin }): readonly RenderFault[] => {
    const place = encryptedPlace(object);
    if (place === undefined) return [];
    const message = `${describeObject(object)}: ${place} is encrypted with SOPS, and there is no key for it: name one in spec.decryption, or take it out of the application's path`;
    return [{ origin, message }];
  });
  if (faults.length > 0) throw renderFaultsError(faults);
}

function encryptedPlace(object: KubeObject): string | undefined {
  if (isLeftEncrypted(object)) return undefined;
  const { sops } = object as { readonly sops?: Json };
  if (isObject(sops) && (sops.mac !== undefined || sops.lastmodified !== undefined)) return 'it';
  if (object.kind !== 'Secret') return undefined;
  const { data, stringData } = object as { readonly data?: Json; readonly stringData?: Json };
  return placeIn('stringData', stringData, (text) => text) ?? placeIn('data', data, decoded);
}

/** With Flux's annotation, an object is for somebody else to decrypt: a Secret with files as its content, a SopsSecret. */
export function isLeftEncrypted(object: KubeObject | JsonObject): boolean {
  const { metadata } = object as { readonly metadata?: Json };
  if (!isObject(metadata)) return false;
  const { annotations } = metadata;
  return isObject(annotations) && String(annotations[DECRYPT]).toLowerCase() === 'disabled';
}

function placeIn(field: string, map: Json | undefined, read: (text: string) => string): string | undefined {
  if (!isObject(map)) return undefined;
  const found = Object.entries(map).find(
    ([, text]) => typeof text === 'string' && (isEncrypted(text) || isEncrypted(read(text))),
  );
  return found === undefined ? undefined : `${field}.${found[0]}`;
}

/** Base64 of anything; what is none decodes to nonsense without the marks. */
function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString('latin1');
}

/** One encrypted value, or a whole encrypted file: its MAC is encrypted like a value in every format. */
function isEncrypted(text: string): boolean {
  return (
    text.startsWith('ENC[AES256_GCM,data:') || /(?:^|\s|["_])mac"?\s*[:=]\s*"?ENC\[AES256_GCM,/.test(text)
  );
}
