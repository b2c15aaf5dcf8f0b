import type { Action, Plan } from '../model/plan.ts';
import {
  describeOrigin,
  describeResource,
  type KubeObject,
  type LiveObject,
  resourceKey,
} from '../model/resource.ts';
import { diffObjects } from './diff-objects.ts';
import { printable, printableValue } from './printable.ts';

/** An object before and after, by which a change is shown field by field. */
export interface ShownChange {
  readonly before: LiveObject;
  /** The answer of a dry run; absent: what would be sent, beside which the server's own additions do not count. */
  readonly after?: KubeObject;
}

/**
 * A plan for people, line by line: `+` creates, `~` changes, `-` prunes, `=` lets go, `!` is held or refused. What is
 * unchanged is only counted. Names and values come from Git and from clusters, and are made safe to print.
 * @param changes by resourceKey; changed objects that are not there are shown without their fields
 */
export function describePlan(
  plan: Plan,
  changes: ReadonlyMap<string, ShownChange> = new Map(),
): readonly string[] {
  const lines = plan.actions.flatMap((action) => [
    ...describeAction(action),
    ...(action.kind === 'apply' ? fieldLines(action.object, changes.get(resourceKey(action.id))) : []),
  ]);
  const held = plan.pruneHeld === undefined ? [] : [`! ${printable(plan.pruneHeld)}`];
  return [...lines, ...held, summary(plan)];
}

function describeAction(action: Action): readonly string[] {
  const name = printable(describeResource(action.id));
  switch (action.kind) {
    case 'apply':
      return [
        `${action.live === undefined ? '+ create' : '~ change'} ${name} ${applyNote(action)}`.trimEnd(),
      ];
    case 'unchanged':
      return [];
    case 'prune':
      return [`- prune ${name}${action.entry.status === 'deleting' ? ' (being deleted)' : ''}`];
    case 'release':
      return [`= release ${name}: ${printable(action.why)}`];
    case 'withhold':
      return [`! held ${name}: ${printable(action.why)}`];
    case 'reject':
      return [`! reject ${name} (${printable(describeOrigin(action.origin))}): ${printable(action.why)}`];
  }
}

function applyNote(action: Extract<Action, { kind: 'apply' }>): string {
  switch (action.reason) {
    case 'new':
      return action.live === undefined ? '' : '(exists, not applied by this target yet)';
    case 'changed':
      return '';
    case 'drifted':
      return `(${action.suspicion ?? 'drifted'} in the cluster)`;
    case 'takeover':
      return '(an interrupted run may have changed it)';
    case 'requested':
      return '(its state is unknown)';
  }
}

function fieldLines(sent: KubeObject, change: ShownChange | undefined): readonly string[] {
  if (change === undefined) {
    return [];
  }
  const diffs =
    change.after === undefined
      ? diffObjects(change.before, sent, { onlyAfter: true })
      : diffObjects(change.before, change.after);
  return diffs.map(
    ({ path, before, after }) =>
      `    ${printable(path)}: ${printableValue(before)} -> ${printableValue(after)}`,
  );
}

function summary(plan: Plan): string {
  const count = (test: (action: Action) => boolean): number => plan.actions.filter(test).length;
  const parts = [
    `${count((action) => action.kind === 'apply' && action.live === undefined)} to create`,
    `${count((action) => action.kind === 'apply' && action.live !== undefined)} to change`,
    `${count(({ kind }) => kind === 'prune')} to prune`,
    `${count(({ kind }) => kind === 'unchanged')} unchanged`,
  ];
  const held = count(({ kind }) => kind === 'withhold');
  const rejected = count(({ kind }) => kind === 'reject');
  return [
    ...parts,
    ...(held > 0 ? [`${held} held`] : []),
    ...(rejected > 0 ? [`${rejected} rejected`] : []),
  ].join(', ');
}
