import type { Manifest } from '../model/resource.ts';
import { describeObject } from '../render/describe-object.ts';

const SHOWN = 10;

/**
 * Hooks are not run yet. Applied as ordinary objects they would run at the wrong time, over and over, so they are left
 * out, with a warning that names them.
 */
export function leaveOutHooks(manifests: readonly Manifest[]): {
  readonly manifests: readonly Manifest[];
  readonly warnings: readonly string[];
} {
  const hooks = manifests.flatMap(({ object, hook }) =>
    hook === undefined ? [] : [`${describeObject(object)} (${hook.phases.join(', ')})`],
  );
  if (hooks.length === 0) return { manifests, warnings: [] };
  const many = hooks.length === 1 ? '1 hook of the chart is' : `${hooks.length} hooks of the chart are`;
  const more = hooks.length > SHOWN ? ` and ${hooks.length - SHOWN} more` : '';
  return {
    manifests: manifests.filter(({ hook }) => hook === undefined),
    warnings: [`${many} not run yet: ${hooks.slice(0, SHOWN).join(', ')}${more}`],
  };
}
