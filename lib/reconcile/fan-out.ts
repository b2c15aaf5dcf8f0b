import type { Application } from '../model/application.ts';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import { type CommitSha, type Digest, targetId, type TargetId } from '../model/ids.ts';
import type { Order } from '../model/order.ts';
import { titleOf, type RegisteredApplication } from '../model/registry.ts';
import { refKey } from '../model/source.ts';
import type { SourceState } from '../model/source-state.ts';
import { dueAt, isSettled, type TargetState, type Wanted } from '../model/target-state.ts';
import type { WakeUp } from '../model/wake-up.ts';
import { inputClosure, type Closure } from '../source/closure.ts';
import { packArtefact } from '../source/artefact.ts';
import type { CommitReader } from '../source/git-repository.ts';
import type { SourceStageDeps } from './deps.ts';

export interface FanOutInput {
  readonly state: SourceState;
  readonly open: (commit: CommitSha) => Promise<CommitReader>;
  readonly applications: readonly RegisteredApplication[];
  readonly deliveryId: string | undefined;
}

export interface FanOutResult {
  readonly wakeUps: readonly WakeUp[];
  readonly advanced: number;
  readonly invalid: number;
  /** Some target is newer in one part and older in another: this worker read too early, and has to look again. */
  readonly mixed: boolean;
}

/** Moves every target of these applications to the commit that its ref was seen at. */
export async function fanOut(deps: SourceStageDeps, input: FanOutInput): Promise<FanOutResult> {
  const ids = input.applications.flatMap(({ application }) =>
    application.destinations.map(({ cluster }) => targetId(application.id, cluster)),
  );
  const states = await deps.state.getTargets(ids);
  const wakeUps: WakeUp[] = [];
  let advanced = 0;
  let invalid = 0;
  let mixed = false;
  for (const child of input.applications) {
    const wanted = await wantedBy(deps, input, child, states);
    if (wanted.kind === 'invalid') invalid += 1;
    for (const { cluster } of child.application.destinations) {
      const target = targetId(child.application.id, cluster);
      const { id, root } = child.application;
      const identity = { target, application: id, root, cluster, title: titleOf(child.application) };
      const outcome = await deps.state.changeTarget(target, {
        kind: 'want',
        now: deps.clock.now(),
        identity,
        wanted,
      });
      if (outcome.kind === 'none' && outcome.why === 'mixed') mixed = true;
      if (outcome.kind === 'write' && outcome.effect === 'advanced') advanced += 1;
      const needsWaking =
        outcome.kind === 'write'
          ? outcome.effect === 'wake'
          : isOverdue(states.get(target), deps.clock.now());
      if (needsWaking) {
        const { deliveryId } = input;
        wakeUps.push({
          v: 1,
          kind: 'target',
          target,
          reason: 'push',
          ...(deliveryId === undefined ? {} : { deliveryId }),
        });
      }
    }
  }
  return { wakeUps, advanced, invalid, mixed };
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
    const closure = await inputClosure({ reader, application, salt: [deps.renderer.version] });
    const artefact = await artefactFor(deps, reader, application, closure, states);
    return { kind: 'revision', order, revision, closure: closure.digest, artefact, application };
  } catch (error) {
    const record = errorRecord(error);
    // A Git server that is away says nothing about the commit: the whole stage is tried again.
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
  reader: CommitReader,
  application: Application,
  closure: Closure,
  states: ReadonlyMap<TargetId, TargetState>,
): Promise<Digest> {
  const targets = application.destinations.map(({ cluster }) =>
    states.get(targetId(application.id, cluster)),
  );
  const known = targets.map((state) =>
    state && isSettled(state) && state.applied?.closure === closure.digest
      ? state.applied?.artefact
      : undefined,
  );
  const [first] = known;
  if (first !== undefined && known.every((artefact) => artefact === first)) return first;
  const { digest, bytes } = await packArtefact(reader, closure);
  if (!(await deps.artefacts.has(digest))) await deps.artefacts.put(digest, bytes);
  return digest;
}

/** Its own wake-up was lost, or is late: one more does no harm. */
function isOverdue(state: TargetState | undefined, now: number): boolean {
  const due = state && dueAt(state);
  return due !== undefined && due <= now;
}
