import type { ImageOverride, KustomizePatch } from '../model/application.ts';
import type { Json, JsonObject } from '../model/resource.ts';
import { jsonAsYaml } from '../render/json-as-yaml.ts';
import { isObject } from './kustomization-place.ts';

/** What an application sets on top of a kustomization. */
export interface KustomizationEdits {
  readonly namePrefix?: string;
  readonly nameSuffix?: string;
  readonly namespace?: string;
  readonly images?: readonly ImageOverride[];
  readonly patches?: readonly KustomizePatch[];
  /** Those that exist. */
  readonly components?: readonly string[];
  readonly replicas?: readonly { readonly name: string; readonly count: number }[];
}

/** As `kustomize edit set` and `kustomize edit add` change a kustomization: nothing else of it is touched. */
export function editKustomization(present: JsonObject, edits: KustomizationEdits): JsonObject {
  const kustomization = withCurrentNames(present);
  const { namePrefix, nameSuffix, namespace, images = [], patches = [], components = [] } = edits;
  const { replicas = [] } = edits;
  return {
    ...kustomization,
    ...(namePrefix === undefined ? {} : { namePrefix }),
    ...(nameSuffix === undefined ? {} : { nameSuffix }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(images.length === 0 ? {} : { images: mergeByName(kustomization['images'], images, mergeImage) }),
    ...(patches.length === 0
      ? {}
      : { patches: [...listOf(kustomization['patches']), ...patches.map(patchEntry)] }),
    ...(components.length === 0
      ? {}
      : { components: [...listOf(kustomization['components']), ...components] }),
    ...(replicas.length === 0
      ? {}
      : {
          replicas: mergeByName(kustomization['replicas'], replicas, (own, { name, count }) => ({
            ...own,
            name,
            count,
          })),
        }),
  };
}

/** The file that the tool reads. */
export function kustomizationText(kustomization: JsonObject): string {
  return jsonAsYaml(withCurrentNames(kustomization), 1);
}

/** kustomize renames the old field in the text before it parses it, but not where it stands in quotes. */
function withCurrentNames(kustomization: JsonObject): JsonObject {
  const { imageTags, ...rest } = kustomization;
  return imageTags === undefined ? kustomization : { ...rest, images: rest['images'] ?? imageTags };
}

/** The last of several with one name counts, and stays where the first of them was. */
function mergeByName<T extends { readonly name: string }>(
  present: Json | undefined,
  overrides: readonly T[],
  merge: (own: JsonObject, override: T) => JsonObject,
): readonly Json[] {
  let merged = listOf(present);
  for (const override of overrides) {
    const isNamed = (entry: Json) => isObject(entry) && entry['name'] === override.name;
    const own = merged.findLast(isNamed);
    const next = merge(isObject(own) ? own : {}, override);
    const first = merged.findIndex(isNamed);
    merged =
      first < 0
        ? [...merged, next]
        : merged.flatMap((entry, index) => (index === first ? [next] : isNamed(entry) ? [] : [entry]));
  }
  return merged;
}

/** A tag and a digest exclude each other, so whoever gives one of them replaces both. */
function mergeImage(own: JsonObject, { name, newName, newTag, digest }: ImageOverride): JsonObject {
  const { newTag: _tag, digest: _digest, tagSuffix: _suffix, ...rest } = own;
  return {
    ...(newTag === undefined && digest === undefined ? own : rest),
    name,
    ...(newName === undefined ? {} : { newName }),
    ...(newTag === undefined ? {} : { newTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function patchEntry({ patch, target }: KustomizePatch): JsonObject {
  return { patch, ...(target === undefined ? {} : { target: { ...target } }) };
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
