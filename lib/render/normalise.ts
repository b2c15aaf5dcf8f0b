import { HoldfastError } from '../model/errors.ts';
import type { Json, JsonObject, KubeObject, Manifest } from '../model/resource.ts';
import { describeOrigin, describeResource, groupOf, resourceId, resourceKey } from '../model/resource.ts';
import { normaliseObject, ObjectFault } from './normalise-object.ts';
import { isObject } from './parse-manifests.ts';
import type { Scope, ScopeOf } from './scopes.ts';

export interface NormaliseOptions {
  /** Given to namespaced objects that have none; default `default`. */
  readonly targetNamespace?: string;
  /** What the destination serves (its discovery), or `builtInScopeOf` where there is no cluster. */
  readonly scopeOf: ScopeOf;
}

/** An object that cannot be applied as it stands; the others can. */
export interface Rejection {
  readonly manifest: Manifest;
  readonly why: string;
}

export interface NormalisedManifests {
  /** Scope settled: a namespace if and only if the kind is namespaced. In the order of the input. */
  readonly manifests: readonly Manifest[];
  /** In the order of the input; kinds that nobody knows keep the namespace they were written with. */
  readonly rejections: readonly Rejection[];
}

/**
 * Manifests in the form in which they are compared and sent: namespaces defaulted or taken off, CRDs of the same set
 * counted as known, what only the server writes removed, Secrets' stringData folded, port protocols filled in.
 *
 * @throws HoldfastError `duplicate-resource` that names both places of every duplicate
 */
export function normaliseManifests(
  manifests: readonly Manifest[],
  options: NormaliseOptions,
): NormalisedManifests {
  const declared = scopesOfCrds(manifests);
  const scopeOf: ScopeOf = (apiVersion, kind) =>
    options.scopeOf(apiVersion, kind) ?? declared.get(`${apiVersion}/${kind}`);
  const settled: Manifest[] = [];
  const rejections: Rejection[] = [];
  for (const manifest of manifests) {
    const outcome = normaliseOne(manifest, scopeOf, options.targetNamespace ?? 'default');
    if ('why' in outcome) rejections.push(outcome);
    else settled.push(outcome);
  }
  assertNoDuplicates([...settled, ...rejections.map(({ manifest }) => manifest)]);
  return { manifests: settled, rejections };
}

function normaliseOne(manifest: Manifest, scopeOf: ScopeOf, targetNamespace: string): Manifest | Rejection {
  const { origin } = manifest;
  const { apiVersion, kind } = manifest.object;
  const { object, fault } = tryNormalise(manifest.object);
  const scope = scopeOf(apiVersion, kind);
  if (scope === undefined) {
    const why = `no matches for kind "${kind}" in version "${apiVersion}": the cluster does not serve it and no CRD in this application defines it`;
    return { manifest: { ...volatileOf(manifest), object, origin }, why: fault ?? why };
  }
  // Faulty or not, its identity must be right: by it the plan knows that the live object has not left Git.
  const settled = { ...volatileOf(manifest), object: withScope(object, scope, targetNamespace), origin };
  return fault === undefined ? settled : { manifest: settled, why: fault };
}

/** What stood in stringData is found in data. */
function volatileOf({ object, volatile }: Manifest): Pick<Manifest, 'volatile'> {
  if (volatile === undefined) return {};
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return { volatile };
  return { volatile: volatile.map((pointer) => pointer.replace(/^\/stringData(?=\/|$)/, '/data')) };
}

function tryNormalise(object: KubeObject): { readonly object: KubeObject; readonly fault?: string } {
  try {
    return { object: normaliseObject(object) };
  } catch (error) {
    if (!(error instanceof ObjectFault)) throw error;
    return { object, fault: error.message };
  }
}

function withScope(object: KubeObject, scope: Scope, targetNamespace: string): KubeObject {
  const { namespace, ...metadata } = object.metadata;
  if (scope === 'cluster') return { ...object, metadata };
  return { ...object, metadata: { ...metadata, namespace: namespace || targetNamespace } };
}

/** apiVersion/kind → scope, as the CRDs among the manifests declare it. */
function scopesOfCrds(manifests: readonly Manifest[]): ReadonlyMap<string, Scope> {
  const scopes = new Map<string, Scope>();
  for (const { object } of manifests) {
    if (object.kind !== 'CustomResourceDefinition' || groupOf(object.apiVersion) !== 'apiextensions.k8s.io')
      continue;
    const spec = object.spec as Json | undefined;
    if (!isObject(spec) || !isObject(spec.names)) continue;
    const scope =
      spec.scope === 'Namespaced' ? 'namespaced' : spec.scope === 'Cluster' ? 'cluster' : undefined;
    if (scope === undefined) continue;
    for (const version of versionsOf(spec))
      scopes.set(`${String(spec.group)}/${version}/${String(spec.names.kind)}`, scope);
  }
  return scopes;
}

function versionsOf(spec: JsonObject): readonly string[] {
  const listed = Array.isArray(spec.versions) ? (spec.versions as readonly Json[]) : [];
  const served = listed.filter(
    (version): version is JsonObject => isObject(version) && version.served !== false,
  );
  return [
    ...served.map((version) => String(version.name)),
    ...(typeof spec.version === 'string' ? [spec.version] : []),
  ];
}

function assertNoDuplicates(manifests: readonly Manifest[]): void {
  const first = new Map<string, Manifest>();
  const duplicates: string[] = [];
  for (const manifest of manifests) {
    const id = resourceId(manifest.object);
    const key = resourceKey(id);
    const before = first.get(key);
    if (before === undefined) first.set(key, manifest);
    else {
      duplicates.push(
        `${describeResource(id)} is in ${describeOrigin(before.origin)} and in ${describeOrigin(manifest.origin)}`,
      );
    }
  }
  if (duplicates.length === 0) return;
  const shown = duplicates.slice(0, 20).join('; ');
  const more = duplicates.length > 20 ? `; and ${duplicates.length - 20} more` : '';
  throw new HoldfastError('duplicate-resource', `${shown}${more}: keep one of each`, {
    details: { duplicates: duplicates.slice(0, 500) },
  });
}
