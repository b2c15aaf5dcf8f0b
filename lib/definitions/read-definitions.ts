import type { Application } from '../model/application.ts';
import type { ApplicationId } from '../model/ids.ts';
import type { Manifest, Origin } from '../model/resource.ts';
import { describeOrigin } from '../model/resource.ts';
import type { DefinitionContext, DefinitionDialect } from './dialect.ts';
import { isHoldfastDefinition, readHoldfastApplication } from './holdfast/read-application.ts';

const DIALECTS: readonly DefinitionDialect[] = [
  { dialect: 'holdfast', isDefinition: isHoldfastDefinition, read: readHoldfastApplication },
];

/** Whether an object declares something in any dialect, and is therefore not applied. */
export function isDefinitionKind(apiVersion: string, kind: string): boolean {
  return dialectOf(apiVersion, kind) !== undefined;
}

function dialectOf(apiVersion: string, kind: string): DefinitionDialect | undefined {
  return DIALECTS.find((candidate) => candidate.isDefinition(apiVersion, kind));
}

export interface FaultyDefinition {
  readonly origin: Origin;
  /** `Application web`, as far as it can be read. */
  readonly object: string;
  /** The application that is declared here, although faultily; where that can be read. */
  readonly id?: ApplicationId;
  readonly path: string;
  /** Complete in itself: `apps/web.yaml:3: Application web: spec.source: expected …`. */
  readonly message: string;
}

export interface Definitions {
  /** In the order of the manifests; none that is declared twice. */
  readonly applications: readonly Application[];
  /**
   * Every error of every definition. While there is one, nothing that is missing from `applications` may be taken to
   * have left Git: a definition that cannot be read is not a definition that was removed.
   */
  readonly errors: readonly FaultyDefinition[];
  /** All that is no definition of any dialect. */
  readonly others: readonly Manifest[];
}

/** Parts rendered manifests into what they declare and what is to be applied. */
export function readDefinitions(manifests: readonly Manifest[], context: DefinitionContext): Definitions {
  const found: { readonly application: Application; readonly manifest: Manifest }[] = [];
  const errors: FaultyDefinition[] = [];
  const others: Manifest[] = [];
  for (const manifest of manifests) {
    const { apiVersion, kind } = manifest.object;
    const dialect = dialectOf(apiVersion, kind);
    if (dialect === undefined) {
      others.push(manifest);
      continue;
    }
    const read = dialect.read(manifest, context);
    if (read.ok) found.push({ application: read.application, manifest });
    else for (const error of read.errors) errors.push(faulty(manifest, error, read.id));
  }
  const { applications, duplicates } = withoutDuplicates(found);
  return { applications, errors: [...errors, ...duplicates], others };
}

function faulty(
  manifest: Manifest,
  error: { readonly path: string; readonly message: string },
  id: ApplicationId | undefined,
): FaultyDefinition {
  const { kind, metadata } = manifest.object;
  const object = `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name ?? ''}`;
  return {
    origin: manifest.origin,
    object,
    ...(id === undefined ? {} : { id }),
    path: error.path,
    message: `${describeOrigin(manifest.origin)}: ${object}: ${error.message}`,
  };
}

/** Of two declarations with one id neither is taken: which of them is meant is not ours to guess. */
function withoutDuplicates(
  found: readonly { readonly application: Application; readonly manifest: Manifest }[],
) {
  const places = new Map<ApplicationId, Manifest[]>();
  for (const { application, manifest } of found) {
    places.set(application.id, [...(places.get(application.id) ?? []), manifest]);
  }
  const duplicates = [...places].flatMap(([id, manifests]) => {
    if (manifests.length < 2) return [];
    const all = manifests.map((manifest) => describeOrigin(manifest.origin)).join(' and ');
    return manifests.map((manifest) =>
      faulty(
        manifest,
        { path: 'metadata.name', message: `metadata.name: declared more than once, in ${all}: keep one` },
        id,
      ),
    );
  });
  const applications = found
    .map(({ application }) => application)
    .filter((application) => places.get(application.id)?.length === 1);
  return { applications, duplicates };
}
