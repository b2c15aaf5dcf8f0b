import type { SandboxObject } from '../objects/sandbox-object.ts';
import { badRequest } from './status.ts';

export type ObjectFilter = (object: SandboxObject) => boolean;

const NAME = '(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const SET_TERM = new RegExp(`^(${NAME})\\s+(in|notin)\\s+\\(([^()]*)\\)$`);
const EQUAL_TERM = new RegExp(`^(${NAME})\\s*(==|=|!=)\\s*([A-Za-z0-9._-]*)$`);
const EXISTS_TERM = new RegExp(`^(!?)\\s*(${NAME})$`);

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k`. @throws ApiError 400 */
export function parseLabelSelector(text: string): ObjectFilter {
  const filters = splitTerms(text).map((term) => parseTerm(term, text));
  return (object) => filters.every((filter) => filter(object.metadata.labels ?? {}));
}

type LabelFilter = (labels: Readonly<Record<string, string>>) => boolean;

function parseTerm(term: string, selector: string): LabelFilter {
  const set = SET_TERM.exec(term);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    const isIn: LabelFilter = (labels) => Object.hasOwn(labels, key) && values.has(labels[key] ?? '');
    return operator === 'in' ? isIn : (labels) => !isIn(labels);
  }
  const equal = EQUAL_TERM.exec(term);
  if (equal !== null) {
    const [, key = '', operator, value] = equal;
    const isEqual: LabelFilter = (labels) => Object.hasOwn(labels, key) && labels[key] === value;
    return operator === '!=' ? (labels) => !isEqual(labels) : isEqual;
  }
  const exists = EXISTS_TERM.exec(term);
  if (exists !== null) {
    const [, not, key = ''] = exists;
    return (labels) => Object.hasOwn(labels, key) === (not === '');
  }
  throw badRequest(`unable to parse requirement: "${term}" in label selector "${selector}"`);
}

/** At commas that are not in parentheses. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let depth = 0;
  let current = '';
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) {
      terms.push(current.trim());
      current = '';
    } else {
      current += character;
    }
  }
  terms.push(current.trim());
  return terms.filter((term) => term !== '');
}

/** `metadata.name` and `metadata.namespace` with `=`, `==` and `!=`. @throws ApiError 400 for every other field */
export function parseFieldSelector(text: string): ObjectFilter {
  const filters = text
    .split(',')
    .filter((term) => term.trim() !== '')
    .map((term): ObjectFilter => {
      const match = /^\s*([\w.]+)\s*(==|=|!=)\s*(\S*)\s*$/.exec(term);
      if (match === null) throw badRequest(`invalid field selector: "${term}": can't understand it`);
      const [, field = '', operator, value] = match;
      if (field !== 'metadata.name' && field !== 'metadata.namespace') {
        throw badRequest(`field label not supported: ${field}`);
      }
      const read = (object: SandboxObject): string =>
        (field === 'metadata.name' ? object.metadata.name : object.metadata.namespace) ?? '';
      return operator === '!=' ? (object) => read(object) !== value : (object) => read(object) === value;
    });
  return (object) => filters.every((filter) => filter(object));
}
