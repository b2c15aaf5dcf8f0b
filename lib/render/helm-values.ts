import type { Application, HelmParameter, HelmValuesFrom } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Json, JsonObject } from '../model/resource.ts';
import { valuesFilePaths } from '../source/closure-helm.ts';
import { normalPath } from '../source/closure.ts';
import { externalKey } from '../model/external-values.ts';
import { mergeValues, parseSetPath, setValue, typedSetValue } from './helm-set-path.ts';
import type { PathStep } from './helm-set-path.ts';
import { jsonAsYaml } from './json-as-yaml.ts';
import type { RenderLimits } from './limits.ts';
import { decodeText, isObject } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import { isWorthHiding, refused, valuesSecrets } from './preflight.ts';
import type { RenderInput } from './renderer.ts';

/** What helm is given beside the chart. */
export interface HelmValues {
  /** For `--values`, in this order; later ones win. Values that may be secrets are only in these, never in argv. */
  readonly files: readonly { readonly name: string; readonly content: Uint8Array }[];
  /** `--set` and `--set-string`: what the definition has as parameters. They stand in Git. */
  readonly argv: readonly string[];
  readonly secrets: readonly string[];
}

interface Layer {
  /** A file's name for helm's messages, without a directory. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly secrets: readonly string[];
}

interface Context {
  readonly limits: RenderLimits;
  /** Path in the private directory → content, with the values files of the repository. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * The values of a release, in the documented order.
 * @throws HoldfastError `value-missing` for a value that does not exist and is not optional; `render-refused` for one that
 * is no mapping, and for a path that is none. Neither quotes a value.
 */
export function helmValues(context: Context, input: RenderInput): HelmValues {
  const { application } = input;
  const { helm } = application.render;
  const from = (helm?.valuesFrom ?? []).map((value, index) => ({ value, index }));
  const layers: Layer[] = [
    ...filesOf(context, application),
    ...from
      .filter(({ value }) => value.targetPath === undefined)
      .flatMap(({ value, index }) => mappingFrom(context, input, value, index)),
  ];
  if (helm?.values !== undefined) {
    layers.push({ name: 'values', content: jsonOf(helm.values), secrets: valuesSecrets(helm.values) });
  }
  const placed = from
    .filter(({ value }) => value.targetPath !== undefined)
    .flatMap(({ value, index }) => placedFrom(input, value, index));
  if (placed.length > 0) layers.push(overlayOf(context, layers, placed));
  const parameters = helm?.parameters ?? [];
  return {
    files: layers.map(({ name, content }, index) => ({
      name: `${index}-${name.replace(/[^A-Za-z0-9._-]/g, '_').slice(-100)}`,
      content,
    })),
    argv: parameterArguments(application, parameters),
    secrets: [
      ...layers.flatMap(({ secrets }) => secrets),
      ...parameters.flatMap(({ name, value }) => valuesSecrets({ [name.replace(/^.*\./, '')]: value })),
    ],
  };
}

/** Their secrets are known already: they were checked with all files. */
function filesOf({ files }: Context, application: Application): readonly Layer[] {
  return valuesFilePaths(normalPath(application), application.render.helm).flatMap((file) => {
    const content = files.get(file);
    return content === undefined ? [] : [{ name: file, content, secrets: [] }];
  });
}

function mappingFrom(
  context: Context,
  input: RenderInput,
  value: HelmValuesFrom,
  index: number,
): readonly Layer[] {
  const found = textOf(input, value, index);
  if (found === undefined) return [];
  const where = `spec.render.helm.valuesFrom[${index}]`;
  const documents = parseYaml(found.text, { limits: context.limits, uniqueKeys: false });
  const broken = documents.find((document) => !document.ok || !isObject(document.value));
  if (broken !== undefined) {
    const fault = broken.ok ? 'expected a mapping of values' : broken.message;
    // Even a key that is written twice may be part of a secret.
    const why = found.secret && !broken.ok ? 'not YAML that can be read' : fault;
    throw refused(
      input.application.path,
      where,
      `${described(value)}, line ${broken.line}: ${why}; name targetPath if it is a single value`,
    );
  }
  const values = documents.map((document) => (document.ok ? document.value : null));
  return [
    {
      name: `${value.kind}-${value.name}`,
      content: Buffer.from(found.text),
      secrets: values.flatMap((each) => (found.secret ? textsOf(each) : valuesSecrets(each))),
    },
  ];
}

interface Placed {
  readonly steps: readonly PathStep[];
  readonly value: Json;
  readonly secrets: readonly string[];
}

function placedFrom(input: RenderInput, value: HelmValuesFrom, index: number): readonly Placed[] {
  const steps = parseSetPath(value.targetPath ?? '');
  if (typeof steps === 'string') {
    const where = `spec.render.helm.valuesFrom[${index}].targetPath`;
    throw refused(input.application.path, where, `${JSON.stringify(value.targetPath)}: ${steps}`);
  }
  const found = textOf(input, value, index);
  if (found === undefined) return [];
  const secrets = found.secret && isWorthHiding(found.text) ? [found.text] : [];
  return [{ steps, value: typedSetValue(found.text), secrets }];
}

/** One file with all values that have a place. A list in it replaces the one below, so it has to hold that one's items. */
function overlayOf(context: Context, below: readonly Layer[], placed: readonly Placed[]): Layer {
  const hasIndex = placed.some(({ steps }) => steps.some((step) => typeof step === 'number'));
  const beneath = hasIndex ? below.reduce((merged, layer) => mergeLayer(context, merged, layer), {}) : {};
  const overlay = placed.reduce<Json>(
    (values, { steps, value }) => setValue(values, steps, value, beneath),
    {},
  );
  return {
    name: 'values-with-target-path',
    content: jsonOf(overlay),
    secrets: placed.flatMap(({ secrets }) => secrets),
  };
}

function mergeLayer({ limits }: Context, merged: JsonObject, layer: Layer): JsonObject {
  const documents = parseYaml(decodeText(layer.content) ?? '', { limits, uniqueKeys: false });
  return documents.reduce(
    (values, document) =>
      document.ok && isObject(document.value) ? mergeValues(values, document.value) : values,
    merged,
  );
}

function textOf(
  input: RenderInput,
  value: HelmValuesFrom,
  index: number,
): { readonly text: string; readonly secret: boolean } | undefined {
  const content = input.values?.get(externalKey(value, input.application));
  const whole = value.kind === 'SecretsManager' && value.key === undefined;
  const key = value.key ?? 'values.yaml';
  const entries = content?.entries ?? {};
  const text = whole ? content?.text : Object.hasOwn(entries, key) ? entries[key] : undefined;
  if (text !== undefined && content !== undefined) return { text, secret: content.secret };
  if (value.optional === true || input.purpose === 'definitions') return undefined;
  const what = content === undefined || whole ? 'does not exist' : `has no key ${JSON.stringify(key)}`;
  throw new HoldfastError(
    'value-missing',
    `spec.render.helm.valuesFrom[${index}]: ${described(value)} ${what}: create it, or set optional`,
  );
}

function described({ kind, name, namespace }: HelmValuesFrom): string {
  const place = namespace === undefined ? name : `${namespace}/${name}`;
  return kind === 'SecretsManager' ? `the secret ${place} in Secrets Manager` : `${kind} ${place}`;
}

function textsOf(value: Json): readonly string[] {
  if (typeof value === 'string') return isWorthHiding(value) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}

function jsonOf(value: Json): Uint8Array {
  return Buffer.from(jsonAsYaml(value));
}

/** A single argument may have 128 KiB on Linux, all of them 2 MiB. */
const MAX_ARGUMENT = 100_000;
const MAX_ARGUMENTS = 1_000_000;

function parameterArguments(
  application: Application,
  parameters: readonly HelmParameter[],
): readonly string[] {
  const argv = parameters.map(({ name, value, forceString }, index) => {
    const where = `spec.render.helm.parameters[${index}]`;
    if (name === '' || name.includes('\0') || value.includes('\0')) {
      throw refused(application.path, where, 'expected a name, and no NUL characters');
    }
    const argument = `--${forceString === true ? 'set-string' : 'set'}=${name}=${escapeCommas(value)}`;
    if (Buffer.byteLength(argument) > MAX_ARGUMENT) {
      throw refused(
        application.path,
        where,
        `longer than ${MAX_ARGUMENT} bytes: use spec.render.helm.values`,
      );
    }
    return argument;
  });
  if (argv.reduce((sum, argument) => sum + Buffer.byteLength(argument), 0) > MAX_ARGUMENTS) {
    const why = `longer than ${MAX_ARGUMENTS} bytes together: use spec.render.helm.values`;
    throw refused(application.path, 'spec.render.helm.parameters', why);
  }
  return argv;
}

/** As Argo CD does it: a comma in a value would begin the next one, but in a list in braces it is meant. */
function escapeCommas(value: string): string {
  return /^\{[\s\S]*\}$/.test(value) ? value : value.replace(/(?<!\\),/g, '\\,');
}
