import type { Command } from 'commander';
import { forEachPooled } from '../../cluster/pooled.ts';
import { describeDrift } from '../../drift/describe-drift.ts';
import type { DriftFinding } from '../../model/drift.ts';
import { HoldfastError } from '../../model/errors.ts';
import { describeResource } from '../../model/resource.ts';
import { isGone, type TargetState } from '../../model/target-state.ts';
import { isSecret } from '../../plan/mask-secrets.ts';
import { printable } from '../../plan/printable.ts';
import type { DriftReport } from '../../state/state-store.ts';
import { type Cli, type GlobalOptions, type Installation, print, withInstallation } from '../cli.ts';
import { EXIT } from '../exit-codes.ts';
import { ago, isoTime, plural } from '../output/words.ts';
import { allTargets, selectTargets } from '../select-targets.ts';

interface DriftOptions extends GlobalOptions {
  readonly scan?: boolean;
}

interface TargetDrift {
  readonly state: TargetState;
  readonly report: DriftReport | undefined;
}

const SCAN_SECONDS = 300;

export function addDriftCommand(program: Command, cli: Cli): void {
  program
    .command('drift')
    .argument('[application]', 'namespace/name, root/name, or the beginning of a target id (default: all)')
    .description('what the last scan found changed past Git: which fields, by whom, when')
    .option('--scan', 'scan now; what policy says is to be corrected is corrected')
    .addHelpText(
      'after',
      `
Exit code 2 when there is drift.

Examples:
  holdfast drift
  holdfast drift shop/web --scan --output json`,
    )
    .action(async (application: string | undefined, _options, command: Command) => {
      await run(cli, application, command.optsWithGlobals<DriftOptions>());
    });
}

async function run(cli: Cli, application: string | undefined, options: DriftOptions): Promise<void> {
  await withInstallation(cli, options, async (installation) => {
    const { state } = installation.deps;
    const targets =
      application === undefined
        ? (await allTargets(state)).filter((target) => !isGone(target))
        : await selectTargets(state, application);
    if (options.scan === true) await scan(installation, targets);
    const found = new Map<string, DriftReport>();
    await forEachPooled(targets, 16, async ({ target }) => {
      const report = await state.getDrift(target);
      if (report !== undefined) found.set(target, report);
    });
    const drifts = targets.map((target) => ({ state: target, report: found.get(target.target) }));
    print(cli, options, { targets: drifts.map(toDocument) }, () => driftLines(cli.io.now(), drifts));
    if (drifts.some(hasDrift)) cli.exit(EXIT.changes);
  });
}

/** As the scheduled function does it, with the read credential and the same use case. */
async function scan({ deps }: Installation, targets: readonly TargetState[]): Promise<void> {
  const { scanCluster } = await import('../../reconcile/scan-cluster.ts');
  const failures: string[] = [];
  for (const cluster of new Set(targets.map((target) => target.cluster))) {
    try {
      await scanCluster(deps, cluster, deps.clock.monotonic() + SCAN_SECONDS * 1000);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      failures.push(`cluster ${cluster}: ${error.message}`);
    }
  }
  if (failures.length > 0) {
    throw new HoldfastError('kube-error', `not everything could be scanned: ${failures.join('; ')}`);
  }
}

/** What was put right since it was found is no drift any more. */
function hasDrift({ state, report }: TargetDrift): boolean {
  return report !== undefined && report.findings.length > 0 && !isPutRight(state, report);
}

function isPutRight(state: TargetState, report: DriftReport): boolean {
  return state.lastRun?.id !== report.seen.runId && state.lastRun?.outcome === 'succeeded';
}

function toDocument({ state, report }: TargetDrift) {
  return {
    application: state.title,
    target: state.target,
    cluster: state.cluster,
    ...(report === undefined
      ? {}
      : {
          scannedAt: isoTime(report.scannedAt),
          correctedSince: isPutRight(state, report),
          clean: report.clean,
          findings: report.findings.map(toFinding),
          unknown: report.unknown,
        }),
  };
}

function toFinding({ id, kind, fields, by, at }: DriftFinding) {
  // A Secret's values are kept as keyed hashes, which say nothing to anybody.
  const secret = isSecret({ apiVersion: id.group === '' ? 'v1' : `${id.group}/v1`, kind: id.kind });
  return {
    object: describeResource(id),
    kind,
    by,
    ...(at === undefined ? {} : { at }),
    fields: fields.map(({ path, applied, live, manager, time }) => ({
      path,
      ...(secret || applied === undefined ? {} : { applied }),
      ...(secret || live === undefined ? {} : { live }),
      manager,
      ...(time === undefined ? {} : { time }),
    })),
  };
}

function driftLines(now: number, drifts: readonly TargetDrift[]): readonly string[] {
  if (drifts.length === 0) return ['No applications.'];
  return drifts.flatMap(({ state, report }) => {
    const head = `${printable(state.title)} on ${printable(state.cluster)}`;
    if (state.inventory === undefined) return [`${head}: nothing applied`];
    if (report === undefined) return [`${head}: not scanned yet`];
    const { findings, unknown, clean } = report;
    const counts =
      findings.length === 0
        ? `no drift, ${plural(clean, 'object')} clean`
        : `${plural(findings.length, 'object')} drifted, ${clean} clean`;
    return [
      `${head}: ${counts} (scanned ${ago(now, report.scannedAt)}${isPutRight(state, report) && findings.length > 0 ? ', put right since' : ''})`,
      ...findings.flatMap((finding) => describeDrift(finding).map((line) => `  ${line}`)),
      ...unknown.map(({ object, why }) => `  ? unknown ${printable(object)}: ${printable(why)}`),
    ];
  });
}
