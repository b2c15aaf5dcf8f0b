import type { Application } from '../model/application.ts';
import { type ApplicationId, type Digest, sha256, type TargetId } from '../model/ids.ts';
import { targetsOf, type LeavingTarget, type RegisteredApplication } from '../model/registry.ts';
import { canonicalJson } from '../plan/canonical-json.ts';

export interface RegistrationInput {
  readonly generation: number;
  readonly registered: readonly RegisteredApplication[];
  readonly leaving: readonly LeavingTarget[];
  readonly declared: readonly Application[];
  /** A definition that cannot be read is not a definition that was removed: nothing leaves while there are any. */
  readonly hasErrors: boolean;
  /** Applications whose definition is there and cannot be read: they stay as they were. */
  readonly faulty: ReadonlySet<ApplicationId>;
  /** Share of the registered applications that may leave in one commit. */
  readonly maxShare: number;
  /** Up to this many may always leave. */
  readonly minCount: number;
  readonly allowance?: Digest;
}

export interface Registration {
  readonly children: readonly RegisteredApplication[];
  readonly leaving: readonly LeavingTarget[];
  /** Why applications that left Git stay registered. */
  readonly held?: { readonly message: string; readonly deleteSet: Digest };
}

/** Pure: what is registered and what is declared → what is registered next, and which targets are to be removed. */
export function planRegistration(input: RegistrationInput): Registration {
  const before = new Map(input.registered.map((child) => [child.application.id, child]));
  const declared = new Map(input.declared.map((application) => [application.id, application]));
  const absent = input.registered.filter((child) => !declared.has(child.application.id));
  const unread = absent.filter((child) => input.faulty.has(child.application.id));
  const gone = absent.filter((child) => !input.faulty.has(child.application.id));
  const held = gone.length === 0 ? undefined : holdBack(input, gone);
  const kept = held === undefined ? unread : absent;

  const children = [
    ...input.declared.map((application) => {
      const known = before.get(application.id);
      const same = known !== undefined && canonicalJson(known.application) === canonicalJson(application);
      return { application, definition: same ? known.definition : input.generation };
    }),
    ...kept,
  ].sort((a, b) => (a.application.id < b.application.id ? -1 : 1));

  const alive = new Set<TargetId>(
    children.flatMap((child) => targetsOf(child.application).map((target) => target.target)),
  );
  const leaving = new Map(input.leaving.map((target) => [target.target, target]));
  for (const child of input.registered) {
    for (const target of targetsOf(child.application)) {
      leaving.set(target.target, { ...target, definition: input.generation });
    }
  }
  const next = [...leaving.values()]
    .filter((target) => !alive.has(target.target))
    .map((target) => input.leaving.find((known) => known.target === target.target) ?? target);
  return { children, leaving: next, ...(held === undefined ? {} : { held }) };
}

function holdBack(
  input: RegistrationInput,
  gone: readonly RegisteredApplication[],
): Registration['held'] | undefined {
  const deleteSet = sha256(
    gone
      .map((child) => child.application.id)
      .sort()
      .join('\n'),
  );
  if (input.allowance === deleteSet) return undefined;
  const names = gone.map((child) => `${child.application.namespace}/${child.application.name}`);
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? `, and ${names.length - 5} more` : '');
  if (input.hasErrors) {
    return {
      deleteSet,
      message: `${shown} left Git, but other definitions cannot be read: mend those first`,
    };
  }
  const allowed = Math.max(input.minCount, Math.floor(input.registered.length * input.maxShare));
  if (input.declared.length > 0 && gone.length <= allowed) return undefined;
  return {
    deleteSet,
    message: `${gone.length} of ${input.registered.length} applications left Git at once (${shown}): if that is meant, run "holdfast bootstrap --allow-removal ${deleteSet.slice(0, 12)}"`,
  };
}
