import { decodeObject } from '../objects/decode.ts';
import type { SandboxObject } from '../objects/sandbox-object.ts';
import type { ServedType } from '../objects/served-types.ts';
import type { WriteOptions } from './create.ts';
import { jsonPatch, mergePatch } from './json-patches.ts';
import { badRequest, conflict, MODIFIED, unsupportedMediaType, unsupportedPatch } from './status.ts';
import { strategicMerge } from './strategic-merge.ts';
import { updateObject, type UpdateTarget } from './update.ts';
import { liveObject, type SandboxWorld } from './world.ts';

/** PATCH with a patch of the live object, in the three forms that are not server-side apply. @throws ApiError */
export function patchObject(
  world: SandboxWorld,
  type: ServedType,
  target: UpdateTarget,
  mediaType: string,
  patch: unknown,
  options: WriteOptions,
): SandboxObject {
  const live = liveObject(world, type, target.namespace, target.name);
  const patched = patchedBody(type, live, mediaType, patch);
  const next = decodeObject(type, patched);
  if (next.metadata.name !== target.name) {
    throw badRequest(
      `the name of the object (${next.metadata.name ?? ''}) does not match the name on the URL (${target.name})`,
    );
  }
  const version = next.metadata.resourceVersion;
  if (version !== undefined && version !== live.metadata.resourceVersion) {
    throw conflict(type, target.name, MODIFIED);
  }
  return updateObject(world, type, target, live, next, options);
}

const CUSTOM_PATCHES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
];

export function patchedBody(
  type: ServedType,
  live: SandboxObject,
  mediaType: string,
  patch: unknown,
): unknown {
  switch (mediaType) {
    case 'application/merge-patch+json':
      return mergePatch(live, patch);
    case 'application/json-patch+json':
      return jsonPatch(live, patch);
    case 'application/strategic-merge-patch+json':
      if (type.custom !== undefined) throw unsupportedPatch(CUSTOM_PATCHES);
      return strategicMerge(type.schema(), live, patch);
    default:
      throw unsupportedMediaType();
  }
}
