import { describeError } from '../exit-codes.ts';

/** `problem`: wrong, and the exit code says so. `skipped`: could not be looked at from here. */
export type Verdict = 'ok' | 'problem' | 'warning' | 'skipped';

export interface Finding {
  /** What was looked at: `table`, `queue`, `secret`, … */
  readonly check: string;
  /** Which one. */
  readonly subject: string;
  readonly verdict: Verdict;
  readonly message: string;
  /** What to do; with every problem and warning. */
  readonly action?: string;
}

export function ok(check: string, subject: string, message: string): Finding {
  return { check, subject, verdict: 'ok', message };
}

export function problem(check: string, subject: string, message: string, action: string): Finding {
  return { check, subject, verdict: 'problem', message, action };
}

export function warning(check: string, subject: string, message: string, action: string): Finding {
  return { check, subject, verdict: 'warning', message, action };
}

export function skipped(check: string, subject: string, message: string): Finding {
  return { check, subject, verdict: 'skipped', message };
}

/** One line without what may be secret: AWS errors by their name, ours by their message. */
export function reasonOf(error: unknown): string {
  const metadata = typeof error === 'object' && error !== null && '$metadata' in error;
  return metadata && error instanceof Error ? error.name : describeError(error);
}

/** The shell's credentials may see less than the functions': that is no defect of the installation. */
export function isDenied(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (/AccessDenied|UnauthorizedOperation|NotAuthorized|^Forbidden$|^403$/.test(cause.name)) return true;
  }
  return false;
}
