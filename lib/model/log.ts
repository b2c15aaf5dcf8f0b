/** What may stand beside a message: safe data only, never a secret, a signature or an unverified body. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Messages are static; whatever varies goes into the fields. Each call also carries the fields of its `child`. */
export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

/** For callers that were given no log. */
export const silentLog: Log = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
