import { updateObject } from '../api/update.ts';
import { now, type SandboxWorld } from '../api/world.ts';
import { at, isRecord, type SandboxObject } from '../objects/sandbox-object.ts';
import { CRD_COLLECTION, hasCondition } from '../objects/type-registry.ts';

/** Accepts the names of a new CustomResourceDefinition and establishes it: from then on its type is served. */
export function establishCrd(world: SandboxWorld, name: string): void {
  const crd = world.store.get(CRD_COLLECTION, '', name);
  const type = world.types.ofCollection(CRD_COLLECTION);
  if (crd === undefined || type === undefined || crd.metadata.deletionTimestamp !== undefined) return;
  const status = establishedStatus(crd, now(world));
  const target = { namespace: '', name, subresource: 'status' } as const;
  updateObject(world, type, target, crd, { ...crd, status }, { manager: 'kube-apiserver', dryRun: false });
}

/** Whether the controller has something to do: names changed, or never accepted. */
export function needsEstablishing(crd: SandboxObject): boolean {
  if (crd.metadata.deletionTimestamp !== undefined) return false;
  if (!hasCondition(crd, 'Established')) return true;
  const accepted = at(crd, 'status', 'acceptedNames');
  const wanted = namesOf(crd);
  return JSON.stringify(accepted) !== JSON.stringify(wanted) || newStored(crd).length > 0;
}

function namesOf(crd: SandboxObject): unknown {
  return at(crd, 'spec', 'names');
}

function stored(crd: SandboxObject): readonly string[] {
  const versions = at(crd, 'status', 'storedVersions');
  return Array.isArray(versions) ? versions.map(String) : [];
}

function newStored(crd: SandboxObject): readonly string[] {
  const versions = at(crd, 'spec', 'versions');
  if (!Array.isArray(versions)) return [];
  const known = stored(crd);
  return versions
    .filter((version) => at(version, 'storage') === true)
    .map((version) => String(at(version, 'name')))
    .filter((version) => !known.includes(version));
}

function establishedStatus(crd: SandboxObject, time: string): Record<string, unknown> {
  const status = crd['status'];
  const established = hasCondition(crd, 'Established');
  const condition = (type: string, reason: string, message: string): Record<string, unknown> => ({
    lastTransitionTime: time,
    message,
    reason,
    status: 'True',
    type,
  });
  return {
    ...(isRecord(status) ? status : {}),
    acceptedNames: namesOf(crd),
    ...(established
      ? {}
      : {
          conditions: [
            condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
            condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
          ],
        }),
    storedVersions: [...stored(crd), ...newStored(crd)],
  };
}
