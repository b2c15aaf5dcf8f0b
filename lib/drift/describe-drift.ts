import type { DriftField, DriftFinding } from '../model/drift.ts';
import { describeResource, type ResourceId } from '../model/resource.ts';
import { UNKNOWN_MANAGER } from '../plan/attribute.ts';
import { MASKED } from '../plan/diff-objects.ts';
import { printable, printableValue } from '../plan/printable.ts';

/**
 * A finding for people: a line for the object, with who and when, and one for each field. Values of Secrets (kept as
 * keyed hashes) are not shown at all.
 */
export function describeDrift(finding: DriftFinding): readonly string[] {
  const name = printable(describeResource(finding.id));
  const who = finding.by.map((manager) => (manager === UNKNOWN_MANAGER ? 'somebody unknown' : manager));
  const when = finding.at === undefined ? '' : ` at ${finding.at}`;
  const verb = finding.kind === 'missing' ? '- missing' : '~ modified';
  const head = `${verb} ${name}, by ${printable(who.join(', '))}${printable(when)}`;
  return [head, ...finding.fields.map((field) => describeField(finding.id, field))];
}

function describeField(id: ResourceId, field: DriftField): string {
  const shown = (value: unknown): string =>
    value !== undefined && holdsSecret(id, field.path) ? MASKED : printableValue(value);
  const by = printable(field.manager);
  return `    ${printable(field.path)}: ${shown(field.applied)} -> ${shown(field.live)} (${by})`;
}

function holdsSecret(id: ResourceId, path: string): boolean {
  return (
    id.kind === 'Secret' &&
    id.group === '' &&
    !/^\/(metadata\/(labels|uid|finalizers|deletionTimestamp)|type|immutable)/.test(path)
  );
}
