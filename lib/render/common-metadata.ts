import type { CommonMetadata } from '../model/application.ts';
import type { Json, KubeObject, Manifest } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';

/**
 * Sets labels and annotations over what every object has, in its own metadata only: selectors and pod templates stay as
 * they are. After build and substitution, as in Flux: it wins.
 */
export function setCommonMetadata(
  manifests: readonly Manifest[],
  metadata: CommonMetadata | undefined,
): readonly Manifest[] {
  const { labels = {}, annotations = {} } = metadata ?? {};
  if (Object.keys(labels).length === 0 && Object.keys(annotations).length === 0) return manifests;
  return manifests.map((manifest) => ({
    ...manifest,
    object: withMetadata(manifest.object, { labels, annotations }),
  }));
}

function withMetadata(object: KubeObject, { labels, annotations }: Required<CommonMetadata>): KubeObject {
  const { metadata } = object;
  const over = (field: 'labels' | 'annotations', set: Readonly<Record<string, string>>) =>
    Object.keys(set).length === 0 ? {} : { [field]: merged(metadata[field], set) };
  return {
    ...object,
    metadata: { ...metadata, ...over('labels', labels), ...over('annotations', annotations) },
  };
}

/** What is there comes from a file and may be anything; what is no mapping is left for whoever checks the object. */
function merged(
  present: Json | undefined,
  set: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  if (present !== undefined && present !== null && !isObject(present)) {
    return present as unknown as Readonly<Record<string, string>>;
  }
  return { ...(present as Readonly<Record<string, string>> | undefined), ...set };
}
