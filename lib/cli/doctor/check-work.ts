import type { Cluster } from '../../model/cluster.ts';
import { BEHIND_MS } from '../../reconcile/sweep.ts';
import type { StateStore } from '../../state/state-store.ts';
import { ago, plural } from '../output/words.ts';
import { collectStatus } from '../status/collect-status.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Several times what the stack sets (5 and 15 minutes): an installation may have set longer ones. */
const SWEEP_LATE_MS = 30 * 60_000;
const SCAN_LATE_MS = 2 * 60 * 60_000;
const MAX_DUE = 1_000;
const SHOWN = 10;

/** Whether work gets done: the schedules, what is due, what fails. */
export async function checkWork(
  state: StateStore,
  now: number,
  clusters: readonly Cluster[],
): Promise<readonly Finding[]> {
  return [
    await checkSweep(state, now),
    ...(await checkScans(state, now, clusters)),
    await checkBehind(state, now),
    ...(await checkStatus(state)),
  ];
}

async function checkSweep(state: StateStore, now: number): Promise<Finding> {
  const sweep = await state.getSweep();
  const when = `last run ${ago(now, sweep?.sweptAt)}`;
  return sweep !== undefined && now - sweep.sweptAt <= SWEEP_LATE_MS
    ? ok('schedule', 'sweep', when)
    : problem(
        'schedule',
        'sweep',
        `${when}: lost webhooks and messages are not found`,
        'check that its schedule is enabled, and the errors of the function that it calls (locally: that "holdfast local" runs)',
      );
}

async function checkScans(
  state: StateStore,
  now: number,
  clusters: readonly Cluster[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name } of clusters) {
    const scan = await state.getClusterScan(name);
    const when = `last scan ${ago(now, scan?.scannedAt)}`;
    if (scan?.error !== undefined) {
      findings.push(
        problem(
          'scan',
          name,
          `${when}, and it failed: ${scan.error}`,
          'see the findings for this cluster, then: holdfast drift --scan',
        ),
      );
    } else if (scan === undefined || now - scan.scannedAt > SCAN_LATE_MS) {
      findings.push(
        problem(
          'scan',
          name,
          `${when}: drift is not seen`,
          'check the schedule and the errors of the drift scan (docs/runbook.md#scan-missing), or scan now: holdfast drift --scan',
        ),
      );
    } else findings.push(ok('scan', name, when));
  }
  return findings;
}

async function checkBehind(state: StateStore, now: number): Promise<Finding> {
  const ids = await state.dueTargets(now - BEHIND_MS, MAX_DUE);
  if (ids.length === 0) return ok('work', 'due targets', 'none is behind');
  const targets = await state.getTargets(ids);
  let oldest = now;
  for (const target of targets.values()) {
    oldest = Math.min(oldest, target.nextAttemptAt ?? target.lease?.expiresAt ?? now);
  }
  const some = [...targets.values()].slice(0, SHOWN).map(({ title, cluster }) => `${title} on ${cluster}`);
  const count = ids.length === MAX_DUE ? `${MAX_DUE} or more targets` : plural(ids.length, 'target');
  return problem(
    'work',
    'due targets',
    `${count} due for more than ten minutes, the first since ${ago(now, oldest)}: ${some.join(', ')}`,
    'look at the targets queue and at the errors and throttles of the target stage (docs/runbook.md#targets-behind)',
  );
}

async function checkStatus(state: StateStore): Promise<readonly Finding[]> {
  const { applications, roots, sources } = await collectStatus(state);
  const findings: Finding[] = [];
  for (const root of roots) {
    for (const { origin, message } of root.errors) {
      findings.push(
        problem(
          'root',
          root.root,
          `${origin === undefined ? '' : `${origin}: `}${message}`,
          'correct the definition in Git',
        ),
      );
    }
    if (root.held !== undefined)
      findings.push(warning('root', root.root, root.held, 'allow it, or put the definitions back into Git'));
  }
  for (const source of sources) {
    if (source.error !== undefined) {
      findings.push(
        problem(
          'source',
          source.source,
          `the last look failed: ${source.error}`,
          `it is tried again by itself; at once: holdfast reconcile`,
        ),
      );
    }
  }
  for (const { application, cluster, state: word, message } of applications) {
    const subject = `${application} on ${cluster}`;
    const action = `holdfast history ${application}`;
    if (word === 'Failed' || word === 'Invalid')
      findings.push(problem('target', subject, `${word}: ${message}`, action));
    if (word === 'Held') findings.push(warning('target', subject, `${word}: ${message}`, action));
  }
  if (findings.length === 0)
    findings.push(ok('work', 'targets', `${plural(applications.length, 'target')}, none failed`));
  return findings;
}
