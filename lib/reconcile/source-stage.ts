import type { Root } from '../model/application.ts';
import { errorRecord } from '../model/errors.ts';
import type { CommitSha, SourceId } from '../model/ids.ts';
import { rootApplication, type RegisteredApplication } from '../model/registry.ts';
import { refKey, type GitRef, type Source } from '../model/source.ts';
import type { SourceState } from '../model/source-state.ts';
import type { WakeReason, WakeUp } from '../model/wake-up.ts';
import { memoizedReader } from '../source/memoized-reader.ts';
import type { CommitReader } from '../source/git-repository.ts';
import { retryDelayMs, type SourceStageDeps } from './deps.ts';
import { fanOut } from './fan-out.ts';
import { registeredChildren, registerDefinitions } from './register-definitions.ts';
import { workOffLeaving } from './work-off-leaving.ts';

export type SourceOutcome =
  | { readonly kind: 'unknown-source' }
  /** No root and no application uses it. */
  | { readonly kind: 'unused' }
  | { readonly kind: 'looked'; readonly woken: number; readonly advanced: number; readonly invalid: number }
  /** Another worker saw something newer; the source is woken again. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'failed'; readonly code: string };

/**
 * Looks at the Git server once, registers what definitions say, and moves every affected target to the new commit:
 * silently where nothing that it reads has changed, otherwise with an artefact and a wake-up.
 */
export async function runSourceStage(
  deps: SourceStageDeps,
  id: SourceId,
  wake: { readonly reason: WakeReason; readonly deliveryId?: string },
): Promise<SourceOutcome> {
  const source = await deps.state.getSource(id);
  if (source === undefined) return { kind: 'unknown-source' };
  // In this order, which law 1 rests on: the generation, then the Git server, then the write conditional on the generation.
  const before = await deps.state.getSourceState(id);
  let listed: ReadonlyMap<string, CommitSha>;
  const readers = new Map<CommitSha, Promise<OpenReader>>();
  const outside = deps.elsewhere?.();
  try {
    const users = await usersOf(deps, id);
    if (users.roots.length === 0 && users.applications.length === 0) return { kind: 'unused' };
    listed = await deps.git.listRefs(source);
    const look = { deps, source, listed };
    const seen = await observe(look, before.generation, refsOf(id, users));
    if (seen === undefined) return await superseded(deps, id);

    const open = (commit: CommitSha): Promise<CommitReader> => {
      const opened = readers.get(commit) ?? openReader(deps, source, commit);
      readers.set(commit, opened);
      return opened.then((reader) => reader.reader);
    };
    const wakeUps: WakeUp[] = [];
    for (const root of users.roots.filter((candidate) => candidate.source === id)) {
      wakeUps.push(...(await workOffLeaving(deps, root.id)));
      const head = seen.refs[refKey(root.ref)];
      // A ref that is gone leaves everything as it was; the root's own target says so.
      if (head?.revision === undefined) continue;
      const outcome = await registerDefinitions(
        deps,
        root,
        await open(head.revision),
        root.base + head.generation,
        outside?.elsewhere,
      );
      if (outcome.kind === 'superseded') return await superseded(deps, id);
      if (outcome.kind === 'registered') {
        for (const other of outcome.sources) {
          if (other !== id) wakeUps.push({ v: 1, kind: 'source', source: other, reason: 'registered' });
        }
        wakeUps.push(...(await workOffLeaving(deps, root.id)));
      }
    }

    // Read again: what this push has just registered is part of what it moves.
    const now = await usersOf(deps, id);
    const current = await observe(look, seen.generation, refsOf(id, now));
    if (current === undefined) return await superseded(deps, id);
    const result = await fanOut(deps, {
      state: current,
      open,
      applications: withRoots(id, now),
      elsewhere: outside?.elsewhere,
      deliveryId: wake.deliveryId,
    });
    wakeUps.push(...result.wakeUps);
    await deps.queue.send(wakeUps);
    if (result.failure !== undefined) return await failed(deps, id, result.failure.error);
    if (result.mixed) await deps.queue.send([{ v: 1, kind: 'source', source: id, reason: 'retry' }], 1);
    return {
      kind: 'looked',
      woken: result.wakeUps.length,
      advanced: result.advanced,
      invalid: result.invalid,
    };
  } catch (error) {
    return await failed(deps, id, error);
  } finally {
    await releaseAll(deps, readers);
    await outside?.close();
  }
}

interface Users {
  readonly roots: readonly Root[];
  readonly applications: readonly RegisteredApplication[];
}

/** The roots linked to this source and the applications that are built from it. Consistent reads of the base table. */
async function usersOf(deps: SourceStageDeps, id: SourceId): Promise<Users> {
  const roots: Root[] = [];
  const applications: RegisteredApplication[] = [];
  for (const rootId of await deps.state.rootsOfSource(id)) {
    const root = await deps.state.getRoot(rootId);
    if (root !== undefined) roots.push(root);
    const children = await registeredChildren(deps, await deps.state.getRegistry(rootId));
    applications.push(...children.filter((child) => child.application.source === id));
  }
  return { roots, applications };
}

function withRoots(id: SourceId, users: Users): readonly RegisteredApplication[] {
  const roots = users.roots
    .filter((root) => root.source === id)
    .map((root) => ({ application: rootApplication(root), definition: root.base }));
  return [...roots, ...users.applications];
}

function refsOf(id: SourceId, users: Users): readonly GitRef[] {
  return withRoots(id, users).map(({ application }) => application.ref);
}

interface Look {
  readonly deps: SourceStageDeps;
  readonly source: Source;
  readonly listed: ReadonlyMap<string, CommitSha>;
}

async function observe(
  look: Look,
  expectedGeneration: number,
  refs: readonly GitRef[],
): Promise<SourceState | undefined> {
  const heads = new Map(
    refs.map((ref) => [
      refKey(ref),
      ref.kind === 'commit' ? (ref.sha as CommitSha) : look.listed.get(refKey(ref)),
    ]),
  );
  const { state, transition } = await look.deps.state.changeSource(look.source.id, {
    kind: 'observe',
    now: look.deps.clock.now(),
    expectedGeneration,
    refs: heads,
  });
  return transition.kind === 'none' && transition.why === 'superseded' ? undefined : state;
}

async function superseded(deps: SourceStageDeps, id: SourceId): Promise<SourceOutcome> {
  await deps.queue.send([{ v: 1, kind: 'source', source: id, reason: 'retry' }], 1);
  return { kind: 'superseded' };
}

async function failed(deps: SourceStageDeps, id: SourceId, error: unknown): Promise<SourceOutcome> {
  const record = errorRecord(error);
  deps.metrics?.emit('SourceFailed');
  deps.log.warn('source stage failed', {
    source: id,
    code: record.code,
    error: record.message,
    cause: error,
  });
  const { state } = await deps.state.changeSource(id, {
    kind: 'failed',
    now: deps.clock.now(),
    error: record,
  });
  const delayMs = retryDelayMs(deps.timings, state.attempt - 1, deps.random);
  // What another try cannot mend is left to the next push and to the sweep.
  if (record.retryable)
    await deps.queue.send([{ v: 1, kind: 'source', source: id, reason: 'retry' }], delayMs / 1000);
  return { kind: 'failed', code: record.code };
}

interface OpenReader {
  readonly reader: CommitReader;
  readonly release: () => Promise<void>;
}

async function openReader(deps: SourceStageDeps, source: Source, commit: CommitSha): Promise<OpenReader> {
  const opened = await deps.git.open(source, commit);
  return { reader: memoizedReader(opened), release: () => opened.release() };
}

async function releaseAll(
  deps: SourceStageDeps,
  readers: ReadonlyMap<CommitSha, Promise<OpenReader>>,
): Promise<void> {
  for (const opened of readers.values()) {
    try {
      await (await opened).release();
    } catch (error) {
      // Opening failed, which has been reported, or the cache could not let go, which its eviction repairs.
      deps.log.warn('commit not released', { error: errorRecord(error).message });
    }
  }
}
