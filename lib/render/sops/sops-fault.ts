import { HoldfastError } from '../../model/errors.ts';

/** Nothing of an encrypted file counts once one thing is wrong with it. Messages name keys and places, never values. */
export function sopsFault(message: string): HoldfastError {
  return new HoldfastError('render-failed', message);
}
