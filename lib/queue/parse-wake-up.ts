import * as z from 'zod/mini';
import { HoldfastError } from '../model/errors.ts';
import type { SourceId, TargetId } from '../model/ids.ts';
import type { WakeReason, WakeUp } from '../model/wake-up.ts';

const REASONS = [
  'push',
  'sweep',
  'registered',
  'retry',
  'continuation',
  'drift',
  'requested',
  'artefact-missing',
  'health',
  'inputs',
] as const satisfies readonly WakeReason[];

const shared = {
  v: z.literal(1),
  reason: z.enum(REASONS),
  deliveryId: z.optional(z.string().check(z.maxLength(128))),
};

const wakeUpSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...shared,
    kind: z.literal('source'),
    source: z.string().check(z.regex(/^[a-z0-9-]{1,63}$/)),
  }),
  z.strictObject({
    ...shared,
    kind: z.literal('target'),
    target: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  }),
]);

/**
 * Reads the body of a queue message.
 * @throws HoldfastError `state-schema`, retryable, for a version that this program does not know: during a deployment
 *   the other version may take it. `invalid-input` for anything else that is not a wake-up.
 */
export function parseWakeUp(body: string): WakeUp {
  const value = parseJson(body);
  const version = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined;
  if (version !== 1 && version !== undefined) {
    throw new HoldfastError(
      'state-schema',
      `v: expected wake-up version 1, got ${printable(version)}; it is left for a version of Holdfast that knows it`,
      { retryable: true },
    );
  }
  const result = wakeUpSchema.safeParse(value);
  if (!result.success) {
    const issues = result.error.issues.map(
      (issue) => `${issue.path.join('.') || 'message'}: ${issue.message}`,
    );
    throw new HoldfastError('invalid-input', `not a wake-up: ${issues.join('; ')}`);
  }
  const { deliveryId, ...wakeUp } = result.data;
  const base = wakeUp.kind === 'source' ? toSource(wakeUp) : toTarget(wakeUp);
  return deliveryId === undefined ? base : { ...base, deliveryId };
}

function toSource(read: { v: 1; kind: 'source'; reason: WakeReason; source: string }): WakeUp {
  return { ...read, source: read.source as SourceId };
}

function toTarget(read: { v: 1; kind: 'target'; reason: WakeReason; target: string }): WakeUp {
  return { ...read, target: read.target as TargetId };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The parser's message would quote the body, which nobody has vouched for.
    throw new HoldfastError('invalid-input', 'not a wake-up: the message is not JSON');
  }
}

function printable(version: unknown): string {
  return typeof version === 'number' ? String(version) : `a ${typeof version}`;
}
