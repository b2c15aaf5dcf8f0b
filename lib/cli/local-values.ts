import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import { describeKey, describeValue, externalKey, externalValuesOf } from '../model/external-values.ts';
import { contentOfObject, contentOfText } from '../reconcile/external-content.ts';
import { DEFAULT_RENDER_LIMITS } from '../render/limits.ts';
import { normaliseObject, ObjectFault } from '../render/normalise-object.ts';
import { parseManifests } from '../render/parse-manifests.ts';
import type { ExternalContent, ExternalContents } from '../render/renderer.ts';
import { UsageError } from './exit-codes.ts';
import type { LocalValue } from './options.ts';
import { readText } from './secret-input.ts';

const MAX_BYTES = 4 * 1024 * 1024;

export interface LocalContents {
  readonly values: ExternalContents;
  /** Those that the application does not ask for, for people. */
  readonly unused: readonly string[];
}

/**
 * What the application's valuesFrom and substitute.from name, out of files: read as the function reads the real ones.
 * @throws HoldfastError `value-missing` naming every value that is not optional and not given; `invalid-input` for a file
 * that is not what it is given for; `render-limit`
 */
export async function readLocalValues(
  application: Application,
  given: readonly LocalValue[],
): Promise<LocalContents> {
  const wanted = new Map(
    externalValuesOf(application).map((value) => [externalKey(value, application), value]),
  );
  const values = new Map<string, ExternalContent>();
  const unused: string[] = [];
  for (const value of given) {
    const key = externalKey(value, application);
    if (values.has(key)) throw new UsageError(`--from: ${describeKey(key)} is given twice`);
    if (wanted.has(key)) values.set(key, await contentOf(value, key));
    else unused.push(describeKey(key));
  }
  const missing = [...wanted.values()].filter(
    (value) => value.optional !== true && !values.has(externalKey(value, application)),
  );
  if (missing.length > 0) {
    const all = missing.map((value) => describeValue(value, application)).join(', ');
    const options = missing.map((value) => `--from ${externalKey(value, application)}=FILE`).join(' ');
    throw new HoldfastError('value-missing', `the application takes values from ${all}: give ${options}`);
  }
  return { values, unused };
}

async function contentOf(value: LocalValue, key: string): Promise<ExternalContent> {
  const option = `--from ${key}`;
  const text = await readText(option, value.file, MAX_BYTES);
  if (value.kind === 'SecretsManager') {
    // As "holdfast secret set" stores it: the line end that an editor adds to one line is not part of it.
    return contentOfText(value.name, /^[^\r\n]*\r?\n$/.test(text) ? text.trimEnd() : text);
  }
  const { manifests, faults } = parseManifests(text, ({ line }) => ({ file: value.file, line }), {
    ...DEFAULT_RENDER_LIMITS,
  });
  const [fault] = faults;
  if (fault !== undefined) {
    const { line } = fault.origin;
    throw invalid(option, `${value.file}${line === undefined ? '' : `:${line}`}: ${fault.message}`);
  }
  const [manifest] = manifests;
  if (manifest === undefined || manifests.length > 1) {
    throw invalid(option, `${value.file} holds ${manifests.length} objects: expected one ${value.kind}`);
  }
  const { object } = manifest;
  if (object.kind !== value.kind || object.apiVersion !== 'v1') {
    throw invalid(
      option,
      `${value.file} holds a ${object.kind} of ${object.apiVersion}: expected a ${value.kind} of v1`,
    );
  }
  try {
    return contentOfObject(normaliseObject(object), key);
  } catch (error) {
    if (error instanceof ObjectFault) throw invalid(option, `${value.file}: ${error.message}`);
    throw error;
  }
}

function invalid(option: string, message: string): HoldfastError {
  return new HoldfastError('invalid-input', `${option}: ${message}`);
}
