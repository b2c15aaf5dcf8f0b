import { forEachPooled } from '../cluster/pooled.ts';
import type { Application } from '../model/application.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import { type ClusterName, type CommitSha, type Digest, targetId, type TargetId } from '../model/ids.ts';
import type { Order } from '../model/order.ts';
import { titleOf, type RegisteredApplication } from '../model/registry.ts';
import { refKey } from '../model/source.ts';
import type { SourceState } from '../model/source-state.ts';
import { dueAt, isSettled, type TargetState, type Wanted } from '../model/target-state.ts';
import type { WakeUp } from '../model/wake-up.ts';
import { inputClosure, type Closure } from '../source/closure.ts';
import { packArtefact } from '../source/artefact.ts';
import type { Elsewhere } from '../source/closure-walk.ts';
import type { CommitReader } from '../source/git-repository.ts';
import type { SourceStageDeps } from './deps.ts';

export interface FanOutInput {
  readonly state: SourceState;
  readonly open: (commit: CommitSha) => Promise<CommitReader>;
  readonly applications: readonly RegisteredApplication[];
  readonly deliveryId: string | undefined;
  /** Absent: nothing is fetched from elsewhere. */
  readonly elsewhere?: Elsewhere | undefined;
}

export interface FanOutResult {
  readonly wakeUps: readonly WakeUp[];
  readonly advanced: number;
  readonly invalid: number;
  /** Some target is newer in one part and older in another: this worker read too early, and has to look again. */
  readonly mixed: boolean;
  /** Something could not be reached; the applications that need it stay where they are, and are tried again. */
  readonly failure?: { readonly error: unknown };
}

/** Applications worked on at once: the waits for the table and the artefacts overlap, the memory stays bounded. */
const CONCURRENCY = 4;

/** Moves every target of these applications to the commit that its ref was seen at. */
export async function fanOut(deps: SourceStageDeps, input: FanOutInput): Promise<FanOutResult> {
  const ids = input.applications.flatMap(({ application }) =>
    application.destinations.map(({ cluster }) => targetId(application.id, cluster)),
  );
  const states = await deps.state.getTargets(ids);
  const wakeUps: WakeUp[] = [];
  const totals = { advanced: 0, invalid: 0, mixed: false };
  let failure: FanOutResult['failure'];
  await forEachPooled(input.applications, CONCURRENCY, async (child) => {
    const wanted = await wantedBy(deps, input, child, states).catch((error: unknown) => {
      // A chart repository that is away is no reason to hold back an application that needs none.
      failure ??= { error };
    });
    if (wanted === undefined) return;
    if (wanted.kind === 'invalid') totals.invalid += 1;
    for (const { cluster } of child.application.destinations) {
      const moved = await moveTarget(deps, child.application, cluster, wanted, states);
      if (moved === 'mixed') totals.mixed = true;
      if (moved === 'advanced') totals.advanced += 1;
      if (moved === 'wake') wakeUps.push(wakeUpOf(targetId(child.application.id, cluster), input.deliveryId));
    }
  });
  return { wakeUps, ...totals, ...(failure === undefined ? {} : { failure }) };
}

async function moveTarget(
  deps: SourceStageDeps,
  application: Application,
  cluster: ClusterName,
  wanted: Wanted,
  states: ReadonlyMap<TargetId, TargetState>,
): Promise<'wake' | 'advanced' | 'mixed' | 'unmoved'> {
  const target = targetId(application.id, cluster);
  const { id, root } = application;
  const identity = { target, application: id, root, cluster, title: titleOf(application) };
  const now = deps.clock.now();
  const outcome = await deps.state.changeTarget(target, { kind: 'want', now, identity, wanted });
  if (outcome.kind === 'write') return outcome.effect === 'advanced' ? 'advanced' : 'wake';
  if (outcome.why === 'mixed') return 'mixed';
  // Its own wake-up was lost, or is late: one more does no harm.
  return isOverdue(states.get(target), now) ? 'wake' : 'unmoved';
}

function wakeUpOf(target: TargetId, deliveryId: string | undefined): WakeUp {
  return {
    v: 1,
    kind: 'target',
    target,
    reason: 'push',
    ...(deliveryId === undefined ? {} : { deliveryId }),
  };
}

async function wantedBy(
  deps: SourceStageDeps,
  input: FanOutInput,
  child: RegisteredApplication,
  states: ReadonlyMap<TargetId, TargetState>,
): Promise<Wanted> {
  const { application, definition } = child;
  const seen = input.state.refs[refKey(application.ref)];
  const order: Order = { definition, source: application.source, revision: seen?.generation ?? 0 };
  const revision = seen?.revision;
  try {
    if (revision === undefined) {
      const ref = refKey(application.ref);
      throw new HoldfastError(
        'git-ref-missing',
        `${ref} does not exist in source "${application.source}": push it, or correct spec.ref`,
      );
    }
    const reader = await input.open(revision);
    const closure = await inputClosure({
      reader,
      application,
      salt: [deps.renderer.version],
      ...(input.elsewhere === undefined ? {} : { elsewhere: input.elsewhere }),
    });
    const artefact = await artefactFor(deps, application, closure, states);
    return { kind: 'revision', order, revision, closure: closure.digest, artefact, application };
  } catch (error) {
    const record = errorRecord(error);
    // A Git server that is away says nothing about the commit: the stage is tried again.
    if (record.retryable || record.code === 'internal') throw error;
    return {
      kind: 'invalid',
      order,
      application,
      error: record,
      ...(revision === undefined ? {} : { revision }),
    };
  }
}

/** The artefact's digest. It is built only if one of the targets has to render it. */
async function artefactFor(
  deps: SourceStageDeps,
  application: Application,
  closure: Closure,
  states: ReadonlyMap<TargetId, TargetState>,
): Promise<Digest> {
  const targets = application.destinations.map(({ cluster }) =>
    states.get(targetId(application.id, cluster)),
  );
  const settled = targets.map((state) =>
    state && isSettled(state) && state.applied?.closure === closure.digest
      ? state.applied?.artefact
      : undefined,
  );
  const [first] = settled;
  if (first !== undefined && settled.every((artefact) => artefact === first)) return first;
  // Packed by a worker that did not get to the end, or wanted already and not applied yet.
  for (const state of targets) {
    if (state?.wanted.kind !== 'revision' || state.wanted.closure !== closure.digest) continue;
    if (await deps.artefacts.has(state.wanted.artefact)) return state.wanted.artefact;
  }
  const { digest, bytes } = await packArtefact(closure);
  if (!(await deps.artefacts.has(digest))) await deps.artefacts.put(digest, bytes);
  return digest;
}

function isOverdue(state: TargetState | undefined, now: number): boolean {
  const due = state && dueAt(state);
  return due !== undefined && due <= now;
}
