import type { Log, LogFields } from '../../model/log.ts';
import { HoldfastError } from '../../model/errors.ts';
import { printable } from '../../plan/printable.ts';

const LONGEST_VALUE = 200;

/** One line a message, for people who watch a terminal: time, level where it matters, message, fields. */
export function createConsoleLog(
  write: (line: string) => void,
  options: { readonly now: () => Date; readonly fields?: LogFields },
): Log {
  const { now, fields = {} } = options;
  const at = (level: string) => (message: string, extra?: LogFields) => {
    const words = Object.entries({ ...fields, ...extra }).flatMap(([name, value]) => word(name, value));
    const time = now().toTimeString().slice(0, 8);
    write(`${[time, ...(level === '' ? [] : [level]), message, ...words].join(' ')}\n`);
  };
  return {
    info: at(''),
    warn: at('WARN'),
    error: at('ERROR'),
    child: (more) => createConsoleLog(write, { now, fields: { ...fields, ...more } }),
  };
}

function word(name: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  const text =
    value instanceof HoldfastError
      ? value.message
      : value instanceof Error
        ? `${value.name}: ${value.message}`
        : typeof value === 'string'
          ? value
          : JSON.stringify(value);
  const cut = text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
  return [`${name}=${/\s/.test(cut) ? JSON.stringify(cut) : printable(cut)}`];
}
