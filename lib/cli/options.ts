import { InvalidArgumentError } from 'commander';

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
