import { readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '../model/errors.ts';
import type { CliIo } from './cli.ts';
import { UsageError } from './exit-codes.ts';

const MAX_BYTES = 64 * 1024;

/**
 * A secret from a file, or from standard input for `-`: arguments are seen by everybody on the machine.
 * One line end at the end, which editors add, is not part of it.
 * @throws HoldfastError `invalid-input`, UsageError
 */
export async function readSecret(io: CliIo, option: string, file: string): Promise<string> {
  const text = file === '-' ? await io.readStdin() : await readText(option, file, MAX_BYTES);
  const secret = text.replace(/\r?\n$/, '');
  if (secret.trim() === '') {
    throw new UsageError(`${option}: ${file === '-' ? 'standard input' : file} is empty`);
  }
  if (/[\r\n\0]/.test(secret)) {
    throw new UsageError(`${option}: ${file === '-' ? 'standard input' : file} has more than one line`);
  }
  return secret;
}

/** @throws HoldfastError `invalid-input` that says why the file cannot be read */
export async function readText(option: string, file: string, maxBytes: number): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) {
      throw new HoldfastError(
        'invalid-input',
        `${option}: ${file} has ${size} bytes, at most ${maxBytes} are read`,
      );
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a directory' : `(${code})`;
    throw new HoldfastError(
      'invalid-input',
      `${option}: ${file} ${why}: name a file that can be read, or - for standard input`,
    );
  }
}
