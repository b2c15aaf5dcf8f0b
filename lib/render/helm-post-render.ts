import type { Application } from '../model/application.ts';
import type { Json, KubeObject, Manifest, Origin } from '../model/resource.ts';
import { jsonAsYaml } from './json-as-yaml.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import { isWorthHiding, refused, secretTexts } from './preflight.ts';
import { renderFaultsError } from './render-faults.ts';
import { runKustomize } from './render-kustomize.ts';
import type { ToolContext } from './render-kustomize.ts';
import { hasVariables } from './substitute/substitute-manifests.ts';

/** Names the place in the definition where kustomize speaks of its directory. */
const DIRECTORY = 'spec.render.helm.postRender';
const OBJECTS = 'chart.yaml';

/**
 * The definition's patches and images over what a chart gave, by kustomize. What keeps its identity keeps its place.
 *
 * @param secrets to be kept out of messages, with those of the Secrets among the objects
 * @throws HoldfastError `render-failed`, `render-refused`, `render-limit`
 */
export async function postRender(
  context: ToolContext,
  run: { readonly application: Application; readonly secrets: readonly string[] },
  manifests: readonly Manifest[],
): Promise<readonly Manifest[]> {
  const { application } = run;
  const { patches = [], images = [] } = application.render.helm?.postRender ?? {};
  if ((patches.length === 0 && images.length === 0) || manifests.length === 0) return manifests;
  const { limits } = context;
  const given = patches.flatMap(({ patch }, index) => {
    const documents = parseYaml(patch, { limits, uniqueKeys: false });
    return documents.flatMap((document): readonly Json[] => {
      const where = `${DIRECTORY}.patches[${index}], line ${document.line}`;
      if (!document.ok) throw refused(application.path, where, document.message);
      return [document.value];
    });
  });
  const files = new Map([
    [`${DIRECTORY}/kustomization.yaml`, jsonDocument({ resources: [OBJECTS], patches, images })],
    [`${DIRECTORY}/${OBJECTS}`, Buffer.concat(manifests.map(({ object }) => jsonDocument(object)))],
  ]);
  const ofObjects = manifests.flatMap(({ object }) => secretTexts(object as unknown as Json));
  const secrets = [...run.secrets, ...given.flatMap(secretTexts), ...ofObjects].filter(isWorthHiding);
  const output = await runKustomize(context, { path: DIRECTORY, files, secrets });
  const origins = new Map(manifests.map(({ object, origin }) => [identityOf(object), origin]));
  const fallback: Origin = { file: application.path };
  const options = { ...limits, drafts: hasVariables(application) };
  const parsed = parseManifests(decodeText(output) ?? '', () => fallback, options);
  if (parsed.faults.length > 0) throw renderFaultsError(parsed.faults);
  return parsed.manifests.map(({ object }) => ({
    object,
    origin: origins.get(identityOf(object)) ?? fallback,
  }));
}

/** JSON is YAML, and leaves no scalar to be read as another one. */
function jsonDocument(value: unknown): Buffer {
  return Buffer.from(`---\n${jsonAsYaml(value)}\n`);
}

function identityOf({ apiVersion, kind, metadata }: KubeObject): string {
  return JSON.stringify([apiVersion, kind, metadata.namespace ?? '', metadata.name ?? '']);
}
