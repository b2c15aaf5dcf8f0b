import { InvalidArgumentError } from 'commander';
import { UsageError } from './exit-codes.ts';

/** @throws InvalidArgumentError, which commander shows with the option's name */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds < 0 || seconds > 86_400) {
    throw new InvalidArgumentError('Expected a number of seconds, at most 86400.');
  }
  return seconds;
}

export function parseInterval(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds < 1) throw new InvalidArgumentError('Expected at least 1 second.');
  return seconds;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('Expected a port between 1 and 65535.');
  }
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,4}$/.test(text) || count < 1) {
    throw new InvalidArgumentError('Expected a number between 1 and 9999.');
  }
  return count;
}

/** `--from KIND/[NAMESPACE/]NAME=FILE`: what stands for a value that the function finds elsewhere. */
export interface LocalValue {
  readonly kind: 'SecretsManager' | 'ConfigMap' | 'Secret';
  readonly namespace?: string;
  readonly name: string;
  readonly file: string;
}

const FORM =
  'expected SecretsManager/NAME=FILE, ConfigMap/[NAMESPACE/]NAME=FILE or Secret/[NAMESPACE/]NAME=FILE';

/** @throws UsageError */
export function parseLocalValue(text: string): LocalValue {
  const equals = text.indexOf('=');
  const [kind, ...names] = text.slice(0, Math.max(0, equals)).split('/');
  const file = text.slice(equals + 1);
  const [first = '', second] = names;
  const isOne = names.length === 1 || (names.length === 2 && kind !== 'SecretsManager');
  const isKind = kind === 'SecretsManager' || kind === 'ConfigMap' || kind === 'Secret';
  if (!isKind || !isOne || names.includes('') || file === '') {
    // What stands behind the equals sign may have been meant as the value itself.
    throw new UsageError(`--from ${JSON.stringify(text.slice(0, Math.max(0, equals)))}: ${FORM}`);
  }
  return second === undefined ? { kind, name: first, file } : { kind, namespace: first, name: second, file };
}
