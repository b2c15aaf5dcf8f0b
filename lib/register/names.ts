import { HoldfastError } from '../model/errors.ts';

const NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Names of sources, roots and clusters: DNS labels, as definitions refer to them.
 * @throws HoldfastError `invalid-input`
 */
export function parseName<Name extends string>(what: string, text: string): Name {
  if (!NAME.test(text)) {
    throw new HoldfastError(
      'invalid-input',
      `${what} ${JSON.stringify(text.slice(0, 80))}: use lower-case letters, digits and dashes, at most 63 characters, none of them a dash at either end`,
    );
  }
  return text as Name;
}

/** A registered thing that is asked for and is not there. */
export class NotRegisteredError extends HoldfastError {
  constructor(message: string) {
    super('invalid-input', message);
    this.name = 'NotRegisteredError';
  }
}
