import { HoldfastError } from '../model/errors.ts';
import { maskTexts } from './mask-texts.ts';
import { ToolFailure } from './run-tool.ts';

const MAX_WORDS = 2_000;
const MAX_READ = 65_536;
/** Each is searched for; beyond this it would take longer than the render. */
const MAX_SECRETS = 5_000;

/**
 * What a tool said, fit to be stored and shown: without our directory, control characters, dumped objects (kustomize
 * prints whole ones, Secrets among them) and the given secret values; shortened.
 */
export function safeWords(
  stderr: string,
  hide: { readonly directory: string; readonly secrets: readonly string[] },
): string {
  if (hide.secrets.length > MAX_SECRETS) return '(left out: too many secrets to look for in it)';
  const words = stderr
    .slice(0, MAX_READ)
    .replaceAll(`${hide.directory}/tree/`, '')
    .replaceAll(`${hide.directory}/tree`, '.')
    .replaceAll(hide.directory, '');
  // Half of what was read: a secret that the first cut split lies behind the second.
  const kept = maskTexts(words, hide.secrets).slice(0, MAX_READ / 2);
  return (
    kept
      .replace(/\p{Cc}\[[0-9;?]*[A-Za-z]/gu, '')
      .split('\n')
      .map((line) =>
        line.replace(/(?:map\[|\{"|"apiVersion"|\b\w{1,40}\.\w{1,60}\{).*/, '… (content left out)'),
      )
      .map((line) => line.replace(/!!(\w+) `[^`]*`?/g, 'a $1'))
      .map((line) => line.replace(/[\p{Cc}\u2028\u2029]/gu, ' ').trimEnd())
      // Helm's own log lines on stderr, which say nothing about the failure, and its advice to run it by hand.
      .filter((line) => line !== '' && !/^(?:level=(?:INFO|WARN)|walk\.go|Use --debug flag)/.test(line))
      .join('\n')
      .slice(0, MAX_WORDS)
  );
}

/** Turns a ToolFailure into the error that leaves this room; everything else passes. */
export function toolError(
  error: unknown,
  about: {
    readonly name: string;
    readonly path: string;
    readonly directory: string;
    readonly secrets: readonly string[];
  },
): unknown {
  if (!(error instanceof ToolFailure)) return error;
  const words = safeWords(error.stderr, about);
  return new HoldfastError(
    'render-failed',
    `${about.path}: ${about.name} failed (${error.exit}): ${words || 'it said nothing'}`,
    {
      details: { path: about.path },
    },
  );
}
