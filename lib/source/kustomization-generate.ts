import { posix } from 'node:path';
import type { JsonObject } from '../model/resource.ts';
import type { ClosureWalk } from './closure-walk.ts';
import { KUSTOMIZATION_FILES } from './kustomization-place.ts';
import { isTakenForRepository, renderRefused } from './repository-path.ts';

const MAX_DEPTH = 100;

/**
 * The kustomization of a directory that has none, by the rules of Flux (fluxcd/pkg kustomize, scanManifests): every
 * `*.yaml` and `*.yml` below it, in the order of the names; a directory with a kustomization of its own is one resource,
 * and is not looked into.
 */
export async function generateKustomization(walk: ClosureWalk, directory: string): Promise<JsonObject> {
  const found = await walk.look(directory);
  // What is new in it changes the render. Nothing is taken here: that is decided below.
  if (found?.type === 'tree') await walk.addDirectory(directory, found.oid, () => false);
  const resources = await resourcesIn(walk, directory, 0);
  return {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: resources.map((path) => entryOf(directory, path)),
  };
}

async function resourcesIn(walk: ClosureWalk, directory: string, depth: number): Promise<readonly string[]> {
  if (depth > MAX_DEPTH) {
    throw renderRefused(directory, 'path', `directories are nested more than ${MAX_DEPTH} deep`);
  }
  const resources: string[] = [];
  const entries = await walk.list(directory);
  for (const { name, type, oid } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = posix.join(directory, name);
    if (type === 'tree') {
      if (await isKustomization(walk, path)) resources.push(path);
      else resources.push(...(await resourcesIn(walk, path, depth + 1)));
    } else if (/\.ya?ml$/.test(name) && !(KUSTOMIZATION_FILES as readonly string[]).includes(name)) {
      walk.addFile(path, oid, 'manifest');
      resources.push(path);
    }
  }
  return resources;
}

async function isKustomization(walk: ClosureWalk, directory: string): Promise<boolean> {
  const entries = await walk.list(directory);
  return entries.some(
    ({ name, type }) => type === 'blob' && (KUSTOMIZATION_FILES as readonly string[]).includes(name),
  );
}

function entryOf(directory: string, path: string): string {
  const entry = posix.relative(directory, path);
  if (!isTakenForRepository(entry)) return entry;
  throw renderRefused(JSON.stringify(path), 'name', 'kustomize would take it for an address: rename it');
}
