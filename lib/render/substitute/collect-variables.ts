import type { Application } from '../../model/application.ts';
import { HoldfastError } from '../../model/errors.ts';
import { describeValue, externalKey } from '../../model/external-values.ts';
import type { ExternalContents } from '../renderer.ts';

/** What a variable stands for. */
export interface Variable {
  readonly value: string;
  /** Where it comes from, if it may be seen in Secrets only: `Secret shop/db`. */
  readonly secretFrom?: string;
}

const NAME = /^[_A-Za-z][_A-Za-z0-9]*$/;

/**
 * The variables of an application: those of its definition win over those from elsewhere, later ones of these over
 * earlier. Newlines are taken out of values, as in Flux: one in the middle of a line would end it. So are carriage
 * returns, which Flux leaves: to YAML they are newlines, and what follows one could be a field of the object.
 *
 * @throws HoldfastError `value-missing` for what is not there and not optional; `invalid-input` for a name that is none
 * in the definition, `render-failed` for one elsewhere, and for a secret without keys. None quotes a value
 */
export function collectVariables(
  application: Application,
  values: ExternalContents = new Map(),
): ReadonlyMap<string, Variable> {
  const variables = new Map<string, Variable>();
  const { from = [], variables: own } = application.render.substitute ?? { variables: {} };
  for (const [index, source] of from.entries()) {
    const where = `spec.substitute.from[${index}]`;
    const content = values.get(externalKey(source, application));
    const what = describeValue(source, application);
    if (content === undefined) {
      if (source.optional === true) continue;
      throw new HoldfastError('value-missing', `${where}: ${what} does not exist: create it`);
    }
    if (
      content.text !== undefined &&
      Object.keys(content.entries).length === 0 &&
      content.text.trim() !== '{}'
    ) {
      throw new HoldfastError(
        'render-failed',
        `${where}: ${what} has no keys: store a JSON object of texts in it, such as {"DOMAIN": "example.com"}`,
      );
    }
    for (const [name, value] of Object.entries(content.entries)) {
      if (!NAME.test(name)) throw new HoldfastError('render-failed', `${where}: ${what}: ${nameFault(name)}`);
      variables.set(name, {
        value: inOneLine(value),
        ...(content.secret ? { secretFrom: what } : {}),
      });
    }
  }
  for (const [name, value] of Object.entries(own)) {
    if (!NAME.test(name))
      throw new HoldfastError('invalid-input', `spec.substitute.variables: ${nameFault(name)}`);
    variables.set(name, { value: inOneLine(value) });
  }
  return variables;
}

/** What a value comes to as a variable. */
export function inOneLine(value: string): string {
  return value.replaceAll(/[\n\r]/g, '');
}

function nameFault(name: string): string {
  return `${JSON.stringify(name.slice(0, 80))} is no name: use letters, digits and underscores, no digit first`;
}
