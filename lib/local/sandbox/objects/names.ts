import type { FieldError } from '../api/status.ts';
import type { DraftObject } from './sandbox-object.ts';
import { groupKind, type ServedType } from './served-types.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and " +
  `end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`;
const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with " +
  `an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`;
const DNS_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const DNS_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, " +
  `and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '${DNS_1035}')`;
const QUALIFIED_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
  "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
  "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const LABEL_LENGTH = 63;
const SUBDOMAIN_LENGTH = 253;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const KEY = /^[-._a-zA-Z0-9]+$/;

const LABEL_NAMED = new Set(['/Namespace']);
const SERVICE_NAMED = new Set(['/Service']);

/** What is wrong with the name, labels and annotations of an object. */
export function validateMetadata(type: ServedType, object: DraftObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { name = '', labels = {}, annotations = {} } = object.metadata;
  errors.push(...validateName(type, name));
  for (const [key, value] of Object.entries(labels)) {
    checkQualified('metadata.labels', key, errors);
    if (value.length > LABEL_LENGTH) {
      errors.push({ type: 'invalid', field: 'metadata.labels', value, detail: tooLong(LABEL_LENGTH) });
    } else if (!VALUE.test(value)) {
      errors.push({ type: 'invalid', field: 'metadata.labels', value, detail: VALUE_TEXT });
    }
  }
  for (const key of Object.keys(annotations)) checkQualified('metadata.annotations', key, errors);
  return errors;
}

function tooLong(limit: number): string {
  return `must be no more than ${limit} characters`;
}

function validateName(type: ServedType, name: string): readonly FieldError[] {
  const field = 'metadata.name';
  if (name === '') return [{ type: 'required', field, detail: 'name or generateName is required' }];
  const invalid = (detail: string): FieldError[] => [{ type: 'invalid', field, value: name, detail }];
  if (type.group === 'rbac.authorization.k8s.io') {
    if (name === '.' || name === '..') return invalid(`may not be '${name}'`);
    return name.includes('/') || name.includes('%') ? invalid("may not contain '/'") : [];
  }
  const kind = groupKind(type);
  if (LABEL_NAMED.has(kind)) return checkName(name, LABEL, LABEL_LENGTH, LABEL_TEXT, invalid);
  if (SERVICE_NAMED.has(kind)) return checkName(name, DNS_1035, LABEL_LENGTH, DNS_1035_TEXT, invalid);
  return checkName(name, SUBDOMAIN, SUBDOMAIN_LENGTH, SUBDOMAIN_TEXT, invalid);
}

function checkName(
  name: string,
  pattern: string,
  length: number,
  text: string,
  invalid: (detail: string) => FieldError[],
): readonly FieldError[] {
  const errors = name.length > length ? invalid(tooLong(length)) : [];
  return new RegExp(`^${pattern}$`).test(name) ? errors : [...errors, ...invalid(text)];
}

function checkQualified(field: string, key: string, errors: FieldError[]): void {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && !new RegExp(`^${SUBDOMAIN}$`).test(prefix)) {
    errors.push({ type: 'invalid', field, value: key, detail: `prefix part ${SUBDOMAIN_TEXT}` });
  }
  if (name.length > LABEL_LENGTH) {
    errors.push({ type: 'invalid', field, value: key, detail: `name part ${tooLong(LABEL_LENGTH)}` });
  } else if (!QUALIFIED.test(name)) {
    errors.push({ type: 'invalid', field, value: key, detail: QUALIFIED_TEXT });
  }
}

/** Keys of ConfigMaps and Secrets, which become file names. */
export function validateDataKeys(field: string, keys: readonly string[]): readonly FieldError[] {
  return keys
    .filter((key) => !KEY.test(key) || key === '.' || key === '..' || key.length > SUBDOMAIN_LENGTH)
    .map((key) => ({
      type: 'invalid',
      field: `${field}[${key}]`,
      value: key,
      detail:
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME'," +
        "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    }));
}
