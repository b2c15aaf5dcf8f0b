import { CommanderError } from 'commander';
import { errorRecord, HoldfastError } from '../model/errors.ts';
import { NotRegisteredError } from '../register/names.ts';

/** What every command ends with; documented in docs/cli.md. 64 is EX_USAGE of sysexits.h. */
export const EXIT = { ok: 0, error: 1, changes: 2, notFound: 3, usage: 64 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command was not given as it must be. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** What was asked for does not exist. */
export class NotFoundError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotFoundError';
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof NotFoundError || error instanceof NotRegisteredError) return EXIT.notFound;
  return EXIT.error;
}

/**
 * One line for people. What nobody planned for is named only: its message may hold anything, and the stack is there
 * when HOLDFAST_DEBUG asks for it.
 */
export function describeError(error: unknown): string {
  if (error instanceof UsageError || error instanceof NotFoundError) return error.message;
  if (error instanceof HoldfastError) return errorRecord(error).message;
  if (isConnectionRefused(error)) {
    return 'the installation does not answer any more: is "holdfast local" still running?';
  }
  const name = error instanceof Error ? error.name : typeof error;
  return `unexpected ${name}: this is a defect of Holdfast; run it again with HOLDFAST_DEBUG=1 to see where it comes from`;
}

function isConnectionRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && (cause.code === 'ECONNREFUSED' || cause.code === 'ECONNRESET')) return true;
  }
  return false;
}
