import { planRegistration } from '../definitions/plan-registration.ts';
import { readDefinitions } from '../definitions/read-definitions.ts';
import type { Root } from '../model/application.ts';
import { errorRecord } from '../model/errors.ts';
import type { ApplicationId, SourceId } from '../model/ids.ts';
import {
  rootApplication,
  sourcesOf,
  type DefinitionError,
  type RegisteredApplication,
  type RegistryState,
} from '../model/registry.ts';
import { describeOrigin } from '../model/resource.ts';
import { inputClosure, type Closure } from '../source/closure.ts';
import { packArtefact, unpackArtefact } from '../source/artefact.ts';
import type { Elsewhere } from '../source/closure-walk.ts';
import type { CommitReader } from '../source/git-repository.ts';
import type { SourceStageDeps } from './deps.ts';

/** Share of a root's applications that may leave in one commit without being asked about. */
const MAX_LEAVING_SHARE = 0.5;
const MIN_LEAVING_COUNT = 2;

export type RegistrationOutcome =
  | { readonly kind: 'unchanged' }
  /** `sources`: every source that was or is named by an application of this root. */
  | { readonly kind: 'registered'; readonly sources: readonly SourceId[] }
  /** A newer commit of this root is registered already. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'failed' };

/**
 * Reads what a root declares at this commit and makes it the registry, in one conditional write.
 * `generation` is in the root's own order. Definitions that cannot be read leave the registry as it was, with the errors beside it.
 */
export async function registerDefinitions(
  deps: SourceStageDeps,
  root: Root,
  reader: CommitReader,
  generation: number,
  elsewhere?: Elsewhere,
): Promise<RegistrationOutcome> {
  for (;;) {
    const registry = await deps.state.getRegistry(root.id);
    if (registry.generation > generation) return { kind: 'superseded' };
    const read = await declaredBy(deps, root, { reader, elsewhere }, registry);
    if (read.kind === 'same' && registry.generation === generation) return { kind: 'unchanged' };
    const write = (next: RegistryState) =>
      deps.state.changeRegistry(root.id, (current) =>
        isSame(current, registry) ? { next, result: true } : { result: false },
      );
    if (read.kind === 'same') {
      if (await write({ ...registry, generation })) return { kind: 'unchanged' };
      continue;
    }
    if (read.kind === 'failed') {
      const { closure: _unread, ...rest } = registry;
      if (await write({ ...rest, generation, errors: read.errors })) return { kind: 'failed' };
      continue;
    }
    const before = await registeredChildren(deps, registry);
    const plan = planRegistration({
      generation,
      registered: before,
      leaving: registry.leaving,
      declared: read.applications,
      hasErrors: read.errors.length > 0,
      faulty: read.faulty,
      maxShare: MAX_LEAVING_SHARE,
      minCount: MIN_LEAVING_COUNT,
      ...(registry.allowance === undefined ? {} : { allowance: registry.allowance }),
    });
    const sources = [...new Set([...sourcesOf(before), ...sourcesOf(plan.children)])];
    // Ahead of the registry: a source that is linked for nothing costs a look, one that is not linked is never looked at.
    await deps.state.linkRoot(root.id, sources);
    const children = await deps.state.putBlob({ root: root.id }, registry.seq + 1, plan.children);
    const next: RegistryState = {
      schema: 1,
      root: root.id,
      seq: registry.seq + 1,
      generation,
      closure: read.closure.digest,
      children,
      childCount: plan.children.length,
      leaving: plan.leaving,
      errors: read.errors,
      ...(plan.held === undefined ? {} : { held: plan.held }),
    };
    if (await write(next)) {
      await deps.state.dropBlobs({ root: root.id }, next.seq, [children]);
      deps.log.info('definitions registered', {
        root: root.id,
        generation,
        applications: plan.children.length,
        leaving: plan.leaving.length,
        errors: read.errors.length,
      });
      return { kind: 'registered', sources };
    }
  }
}

/** What the registry holds; empty when nothing was ever registered. */
export async function registeredChildren(
  deps: Pick<SourceStageDeps, 'state'>,
  registry: RegistryState,
): Promise<readonly RegisteredApplication[]> {
  if (registry.children === undefined) return [];
  const owner = { root: registry.root };
  const children = await deps.state.getBlob<readonly RegisteredApplication[]>(owner, registry.children);
  if (children !== undefined) return children;
  // Dropped because a newer registry was written after this one was read: that one has its own.
  const newer = await deps.state.getRegistry(registry.root);
  if (newer.seq === registry.seq) {
    throw new Error(`the registered applications of root ${registry.root} are missing from the table`);
  }
  return registeredChildren(deps, newer);
}

type Declared =
  | { readonly kind: 'same' }
  | { readonly kind: 'failed'; readonly errors: readonly DefinitionError[] }
  | {
      readonly kind: 'read';
      readonly closure: Closure;
      readonly applications: ReturnType<typeof readDefinitions>['applications'];
      readonly errors: readonly DefinitionError[];
      readonly faulty: ReadonlySet<ApplicationId>;
    };

async function declaredBy(
  deps: SourceStageDeps,
  root: Root,
  { reader, elsewhere }: { readonly reader: CommitReader; readonly elsewhere: Elsewhere | undefined },
  registry: RegistryState,
): Promise<Declared> {
  const application = rootApplication(root);
  try {
    const closure = await inputClosure({
      reader,
      application,
      salt: [deps.renderer.version],
      ...(elsewhere === undefined ? {} : { elsewhere }),
    });
    if (closure.digest === registry.closure && registry.allowance === undefined) return { kind: 'same' };
    const artefact = await packArtefact(closure);
    const files = unpackArtefact(artefact.digest, artefact.bytes);
    const { manifests } = await deps.renderer.render({ files, application, purpose: 'definitions' });
    const read = readDefinitions(manifests, { installation: root.installation, root: root.id });
    const errors = read.errors.map((fault) => ({
      origin: describeOrigin(fault.origin),
      error: { code: 'invalid-input' as const, message: fault.message, retryable: false },
    }));
    const faulty = new Set(read.errors.flatMap(({ id }) => id ?? []));
    return { kind: 'read', closure, applications: read.applications, errors, faulty };
  } catch (error) {
    deps.log.warn('definitions not readable', { root: root.id, error: errorRecord(error).message });
    return { kind: 'failed', errors: [{ error: errorRecord(error) }] };
  }
}

function isSame(a: RegistryState, b: RegistryState): boolean {
  return (
    a.seq === b.seq &&
    a.generation === b.generation &&
    a.closure === b.closure &&
    a.allowance === b.allowance &&
    a.leaving.length === b.leaving.length
  );
}
