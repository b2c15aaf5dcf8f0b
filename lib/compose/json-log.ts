import { HoldfastError } from '../model/errors.ts';
import type { Log, LogFields } from '../model/log.ts';

/** Cuts what an error chain may add to one line. */
const MAX_CAUSES = 5;

/**
 * One JSON object a line: time, level, message and the fields, as CloudWatch Logs and `jq` read it.
 * An Error among the fields is written by name, code, message and causes; its `details` are safe by contract.
 * A field that cannot be written as JSON never loses the line.
 * @param context read for every line: what changes from one invocation of a function to the next
 */
export function createJsonLog(
  write: (line: string) => void = (line) => process.stdout.write(line),
  fields: LogFields = {},
  now: () => Date = () => new Date(),
  context: () => LogFields = () => ({}),
): Log {
  const at = (level: string) => (message: string, extra?: LogFields) => {
    const head = { time: now().toISOString(), level, message };
    write(`${stringify(head, { ...context(), ...fields, ...extra })}\n`);
  };
  return {
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => createJsonLog(write, { ...fields, ...more }, now, context),
  };
}

function stringify(head: LogFields, fields: LogFields): string {
  try {
    // The head comes last, so that no field can pass itself off as the message or the level.
    return JSON.stringify({ ...fields, ...head }, replace);
  } catch {
    return JSON.stringify({ ...head, unwritableFields: Object.keys(fields) });
  }
}

function replace(_key: string, value: unknown): unknown {
  if (value instanceof Error) {
    return describeError(value);
  }
  return typeof value === 'bigint' ? value.toString() : value;
}

function describeError(error: Error): LogFields {
  const causes: LogFields[] = [];
  let cause: unknown = error.cause;
  while (cause instanceof Error && causes.length < MAX_CAUSES) {
    causes.push(describeOne(cause));
    cause = cause.cause;
  }
  return { ...describeOne(error), ...(causes.length > 0 && { causes }) };
}

function describeOne(error: Error): LogFields {
  const known = error instanceof HoldfastError;
  return {
    name: error.name,
    message: error.message,
    ...(known && { code: error.code, retryable: error.retryable, details: error.details }),
    // Of our own errors code and details say where; of others only the stack does.
    ...(!known && error.stack !== undefined && { stack: error.stack }),
  };
}
