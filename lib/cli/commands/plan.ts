import type { Command } from 'commander';
import type { Action } from '../../model/plan.ts';
import { describeOrigin, describeResource, resourceKey } from '../../model/resource.ts';
import type { TargetState } from '../../model/target-state.ts';
import { describePlan } from '../../plan/describe-plan.ts';
import { diffObjects } from '../../plan/diff-objects.ts';
import { printable } from '../../plan/printable.ts';
import { type Cli, type GlobalOptions, print, withInstallation } from '../cli.ts';
import { describeError, EXIT } from '../exit-codes.ts';
import { shortSha } from '../output/words.ts';
import type { ApplicationPlan } from '../plan-application.ts';
import { selectTargets } from '../select-targets.ts';

interface PlanOptions extends GlobalOptions {
  readonly cluster?: string;
}

type Planned =
  | { readonly state: TargetState; readonly planned: ApplicationPlan }
  | { readonly state: TargetState; readonly error: string };

export function addPlanCommand(program: Command, cli: Cli): void {
  program
    .command('plan')
    .argument('<application>', 'namespace/name, root/name, or the beginning of a target id')
    .description('what a run would do now, field by field; changes nothing')
    .option('--cluster <name>', 'only on this cluster')
    .addHelpText(
      'after',
      `
The wanted revision is rendered and compared with the cluster through the read credential. Values of Secrets are not
shown. Exit code 0: nothing would change; 2: something would; 1: it could not be planned, or objects would be rejected.

Examples:
  holdfast plan shop/web
  holdfast plan shop/web --cluster prod-eu --output json`,
    )
    .action(async (application: string, _options, command: Command) => {
      await run(cli, application, command.optsWithGlobals<PlanOptions>());
    });
}

async function run(cli: Cli, application: string, options: PlanOptions): Promise<void> {
  const { cluster } = options;
  await withInstallation(cli, options, async ({ deps }) => {
    const targets = await selectTargets(deps.state, application, cluster === undefined ? {} : { cluster });
    const { planApplication } = await import('../plan-application.ts');
    const all: Planned[] = [];
    for (const state of targets) {
      try {
        all.push({ state, planned: await planApplication(deps, state) });
      } catch (error) {
        if (cli.io.env['HOLDFAST_DEBUG']) throw error;
        all.push({ state, error: describeError(error) });
      }
    }
    print(cli, options, { targets: all.map(toDocument) }, () =>
      all.flatMap((each, index) => [...(index > 0 ? [''] : []), ...planLines(each)]),
    );
    for (const each of all) {
      if ('error' in each) cli.io.err(`error: ${each.state.cluster}: ${printable(each.error)}\n`);
    }
    cli.exit(exitCode(all));
  });
}

function exitCode(all: readonly Planned[]): 0 | 1 | 2 {
  const actions = all.flatMap((each) => ('error' in each ? [] : each.planned.plan.actions));
  if (all.some((each) => 'error' in each) || actions.some(({ kind }) => kind === 'reject')) return EXIT.error;
  return actions.some(({ kind }) => kind === 'apply' || kind === 'prune' || kind === 'release')
    ? EXIT.changes
    : EXIT.ok;
}

function planLines(each: Planned): readonly string[] {
  const { title, cluster, wanted } = each.state;
  const what = wanted.kind === 'removed' ? 'removed from Git' : `at ${shortSha(wanted.revision)}`;
  const head = `${printable(title)} on ${printable(cluster)}, ${what}`;
  if ('error' in each) return [head, '  cannot be planned'];
  const { plan, changes } = each.planned;
  // One reason for many objects is said once, at the end.
  const actions = plan.actions.map((action) =>
    action.kind === 'withhold' && action.why === plan.pruneHeld ? { ...action, why: 'see below' } : action,
  );
  const warnings = plan.warnings.map((warning) => `? ${printable(warning)}`);
  return [head, ...[...describePlan({ ...plan, actions }, changes), ...warnings].map((line) => `  ${line}`)];
}

function toDocument(each: Planned) {
  const { title, target, cluster, wanted } = each.state;
  const base = {
    application: title,
    target,
    cluster,
    ...(wanted.kind === 'removed' || wanted.revision === undefined ? {} : { revision: wanted.revision }),
  };
  if ('error' in each) return { ...base, error: each.error };
  const { plan, changes } = each.planned;
  return {
    ...base,
    actions: plan.actions
      .filter(({ kind }) => kind !== 'unchanged')
      .map((action) => toAction(action, changes)),
    unchanged: plan.actions.filter(({ kind }) => kind === 'unchanged').length,
    ...(plan.pruneHeld === undefined ? {} : { pruneHeld: plan.pruneHeld }),
    warnings: plan.warnings,
  };
}

/** Never the object itself, which may be a Secret. */
function toAction(action: Action, changes: ApplicationPlan['changes']) {
  const object = describeResource(action.id);
  switch (action.kind) {
    case 'apply': {
      const change = changes.get(resourceKey(action.id));
      return {
        action: action.live === undefined ? 'create' : 'change',
        object,
        reason: action.reason,
        ...(action.suspicion === undefined ? {} : { suspicion: action.suspicion }),
        origin: describeOrigin(action.origin),
        ...(change === undefined
          ? {}
          : { fields: diffObjects(change.before, action.object, { onlyAfter: true }) }),
      };
    }
    case 'reject':
      return { action: action.kind, object, origin: describeOrigin(action.origin), why: action.why };
    case 'release':
    case 'withhold':
      return { action: action.kind, object, why: action.why };
    case 'prune':
    case 'unchanged':
      return { action: action.kind, object };
  }
}
