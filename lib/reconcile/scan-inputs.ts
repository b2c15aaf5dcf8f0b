import type { KubeApi } from '../cluster/kube-api.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import type { Application } from '../model/application.ts';
import { errorRecord } from '../model/errors.ts';
import { isRunnable, type RecordedInputs, type TargetState } from '../model/target-state.ts';
import type { ScanDeps } from './deps.ts';
import { decryptionKey, neededValues, versionOfObject, type NeededValue } from './external-refs.ts';
import { ABSENT, capabilitiesOf, recordInputs, type Capabilities } from './record-inputs.ts';

const CONCURRENCY = 8;

/**
 * Wakes every resting target whose render depends on something that has changed since: a value, a key, or, for helm, what
 * the cluster is and serves. Asks for versions only, for each once in a scan, however many targets use it.
 *
 * @returns how many were woken
 */
export async function scanInputs(
  deps: ScanDeps,
  kube: KubeApi,
  states: Iterable<TargetState>,
  deadline: number,
): Promise<number> {
  const versions = versionsOf(deps, kube, deadline);
  let woken = 0;
  await forEachPooled([...states].filter(mayDiffer), CONCURRENCY, async (state) => {
    if (await isSame(deps, versions, state)) return;
    const { target, epoch, lastRun } = state;
    const outcome = await deps.state.changeTarget(target, {
      kind: 'request',
      now: deps.clock.now(),
      seen: { epoch, ...(lastRun === undefined ? {} : { runId: lastRun.id }) },
    });
    if (outcome.kind === 'none') return;
    await deps.queue.send([{ v: 1, kind: 'target', target, reason: 'inputs' }]);
    deps.log.info('inputs changed', { target, cluster: state.cluster });
    woken += 1;
  });
  return woken;
}

/** One that has been asked to run, or is about to, reads its inputs by itself. */
function mayDiffer(state: TargetState): boolean {
  return (
    state.wanted.kind === 'revision' &&
    isRunnable(state) &&
    state.lease === undefined &&
    state.pending === undefined &&
    state.lastRun?.inputs !== undefined &&
    // Tried as it is wanted now; or applied, and moved to an equal closure since.
    (state.lastRun.wantedSeq === state.wantedSeq || state.applied?.wantedSeq === state.wantedSeq) &&
    (state.handled === state.requested || state.lastRun.outcome === 'failed')
  );
}

async function isSame(deps: ScanDeps, versions: Versions, state: TargetState): Promise<boolean> {
  const { wanted, lastRun } = state;
  if (wanted.kind !== 'revision' || lastRun?.inputs === undefined) return true;
  try {
    const now = await currentInputs(versions, wanted.application, lastRun.inputs);
    return now === undefined || now.digest === lastRun.inputs.digest;
  } catch (error) {
    // What cannot be read is not known to have changed.
    const { message, code } = errorRecord(error);
    deps.log.warn('inputs not read', { target: state.target, cluster: state.cluster, error: message, code });
    return true;
  }
}

/** undefined: not known. */
async function currentInputs(
  versions: Versions,
  application: Application,
  recorded: RecordedInputs,
): Promise<RecordedInputs | undefined> {
  const current = new Map<string, string>();
  for (const value of neededValues(application)) current.set(value.key, await versions.value(value));
  const { age } = application.render.decryption ?? {};
  if (age !== undefined) current.set(decryptionKey(age), await versions.decryption(age));
  if (recorded.capabilities === undefined) return recordInputs(current, undefined);
  const capabilities = await versions.capabilities();
  return capabilities === undefined ? undefined : recordInputs(current, capabilities);
}

interface Versions {
  value(needed: NeededValue): Promise<string>;
  decryption(name: string): Promise<string>;
  /** undefined: an API group does not answer, so what it serves is not known. */
  capabilities(): Promise<Capabilities | undefined>;
}

function versionsOf(deps: ScanDeps, kube: KubeApi, deadline: number): Versions {
  const asked = new Map<string, Promise<string>>();
  let capabilities: Promise<Capabilities | undefined> | undefined;
  const once = (key: string, ask: () => Promise<string>): Promise<string> => {
    const known = asked.get(key) ?? ask();
    asked.set(key, known);
    return known;
  };
  return {
    value: ({ key, value, ref }) =>
      once(key, async () => {
        if (ref === undefined) return (await deps.secrets.currentVersion('values', value.name)) ?? ABSENT;
        const object = await kube.getMetadata(ref, { deadline });
        return object === undefined ? ABSENT : versionOfObject(object);
      }),
    decryption: (name) =>
      once(
        decryptionKey(name),
        async () => (await deps.secrets.currentVersion('decryption', name)) ?? ABSENT,
      ),
    capabilities: () => {
      capabilities ??= capabilitiesOf(kube, deadline).then(async (found) => {
        const { failedGroups } = await kube.discovery({ deadline });
        return failedGroups.length > 0 ? undefined : found;
      });
      return capabilities;
    },
  };
}
