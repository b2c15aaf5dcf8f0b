import type { Application, Substitution } from '../../model/application.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { Json, JsonObject, KubeObject, Manifest } from '../../model/resource.ts';
import { describeObject } from '../describe-object.ts';
import { DEFAULT_RENDER_LIMITS } from '../limits.ts';
import type { RenderLimits } from '../limits.ts';
import { isObject, manifestFault, parseManifests } from '../parse-manifests.ts';
import { renderFaultsError } from '../render-faults.ts';
import type { RenderFault } from '../render-faults.ts';
import { ExpansionLimit, expandTemplate } from './expand-template.ts';
import type { Variable } from './collect-variables.ts';
import { parseTemplate, TemplateFault } from './parse-template.ts';
import { writeYaml } from './write-yaml.ts';

type Limits = Pick<RenderLimits, 'maxDepth' | 'maxAliasWeight' | 'maxFileBytes' | 'maxOutputBytes'>;

/** Flux's own name, so that repositories work unchanged, and ours. As a label or an annotation. */
const OPT_OUTS = ['kustomize.toolkit.fluxcd.io/substitute', 'holdfast.dev/substitute'];

/** Whether identities may hold variables until `substituteManifests` has run. */
export function hasVariables(application: Application): boolean {
  return application.render.substitute !== undefined;
}

/**
 * Puts values in place of `${NAME}` as Flux does: in each object's YAML text, which is then read again, so that a value
 * decides its own type. Strict: a variable that is not defined and has no default is an error. Takes manifests that were
 * parsed as drafts, and gives such as would have parsed without that.
 *
 * @throws HoldfastError `render-failed` listing every faulty object, without a value and without any text of a Secret;
 * `render-refused` when all that is wrong is that secrets would go into other objects than Secrets; `render-limit` when
 * all objects together grow beyond `maxOutputBytes`
 */
export function substituteManifests(
  manifests: readonly Manifest[],
  variables: ReadonlyMap<string, Variable>,
  strategy: Substitution['strategy'] = 'WithVariables',
  limits: Limits = DEFAULT_RENDER_LIMITS,
): readonly Manifest[] {
  const isIdle = variables.size === 0 && strategy !== 'Always';
  const faults: RenderFault[] = [];
  let leaks = 0;
  let written = 0;
  const substituted = manifests.map((manifest) => {
    const outcome = isIdle ? { manifest, length: 0 } : substituteOne(manifest, variables, limits);
    if ('fault' in outcome) {
      if (outcome.leak === true) leaks += 1;
      faults.push({
        origin: manifest.origin,
        message: `${describeObject(manifest.object)}: ${outcome.fault}`,
      });
      return manifest;
    }
    written += outcome.length;
    if (written > limits.maxOutputBytes) {
      throw new HoldfastError(
        'render-limit',
        `variables make the objects grow beyond ${limits.maxOutputBytes} characters: use shorter values`,
      );
    }
    const complaint = manifestFault(outcome.manifest.object as unknown as Json);
    if (complaint !== undefined) faults.push({ origin: manifest.origin, message: complaint });
    return outcome.manifest;
  });
  if (faults.length > 0)
    throw renderFaultsError(faults, leaks === faults.length ? 'render-refused' : 'render-failed');
  return substituted;
}

type Outcome =
  | { readonly manifest: Manifest; readonly length: number }
  /** For people; never holds a value. */
  | { readonly fault: string; readonly leak?: true };

function substituteOne(
  manifest: Manifest,
  variables: ReadonlyMap<string, Variable>,
  limits: Limits,
): Outcome {
  const object = manifest.object as unknown as JsonObject;
  if (isOptedOut(manifest.object) || !JSON.stringify(object).includes('$')) return { manifest, length: 0 };
  const before = writeYaml(object);
  const expanded = expand(before, object, variables, limits.maxFileBytes);
  if ('fault' in expanded) return expanded;
  const { text } = expanded;
  if (text === before) return { manifest, length: text.length };
  const parsed = parseManifests(text, () => manifest.origin, { ...limits, drafts: true });
  const [read, more] = parsed.manifests;
  const [fault] = parsed.faults;
  if (fault !== undefined) {
    return { fault: `with its variables it is ${afterwards(fault.message)}` };
  }
  if (read === undefined || more !== undefined)
    return { fault: 'variables make it something else than one object' };
  return { manifest: { ...manifest, object: read.object }, length: text.length };
}

function afterwards(message: string): string {
  return `faulty: ${message} (a value must fit where it stands: quotes around a variable are not kept)`;
}

function expand(
  text: string,
  object: JsonObject,
  variables: ReadonlyMap<string, Variable>,
  maxLength: number,
): { readonly text: string } | { readonly fault: string; readonly leak?: true } {
  try {
    const values = new Map([...variables].map(([name, { value }]) => [name, value]));
    const expanded = expandTemplate(parseTemplate(text), values, maxLength);
    if (expanded.missing.size > 0) return { fault: missingFault([...expanded.missing], object) };
    if (expanded.cut.size > 0)
      return {
        fault: `an offset or length in bytes cuts a character of ${listed([...expanded.cut])} in two`,
      };
    // Of another group, it is as open as anything else.
    const leaking =
      isSecret(object) && object.apiVersion === 'v1'
        ? []
        : [...expanded.used].filter((name) => variables.get(name)?.secretFrom !== undefined);
    if (leaking.length > 0) return { fault: leakFault(leaking, variables), leak: true };
    return { text: expanded.text };
  } catch (error) {
    if (error instanceof TemplateFault) return { fault: syntaxFault(error, text, object) };
    if (error instanceof ExpansionLimit) return { fault: `${error.message}: use fewer or shorter variables` };
    throw error;
  }
}

/** What is put into an object is stored, compared and shown, unless it is the data of a Secret. */
function leakFault(names: readonly string[], variables: ReadonlyMap<string, Variable>): string {
  const from = new Set(names.map((name) => variables.get(name)?.secretFrom ?? ''));
  const plural = names.length > 1;
  return `${plural ? 'variables' : 'variable'} ${listed(names)} ${plural ? 'come' : 'comes'} from ${[...from].join(', ')} and would be stored and shown as plain text: use ${plural ? 'them' : 'it'} in Secrets only, or move ${plural ? 'them' : 'it'} into a ConfigMap or spec.substitute.variables`;
}

/** A name in a Secret may be a piece of a password that happens to hold "${": there, only the place is told. */
function missingFault(names: readonly string[], object: JsonObject): string {
  if (isSecret(object)) {
    const places = placesOf(object, (text) => names.some((name) => text.includes(name)));
    return `an undefined variable without a default in ${places}: add it to spec.substitute.variables, or write $\${ for a plain \${`;
  }
  const plural = names.length > 1;
  const example = names[0] ?? '';
  return `${plural ? 'variables' : 'variable'} ${listed(names)} ${plural ? 'are' : 'is'} not defined and without a default: add ${plural ? 'them' : 'it'} to spec.substitute.variables, write \${${example}:-default}, or $\${${example}} for the text itself`;
}

function syntaxFault(fault: TemplateFault, text: string, object: JsonObject): string {
  const advice = 'write $${ for a plain ${';
  if (isSecret(object)) return `${fault.message} in ${placesOf(object, isMalformed)}: ${advice}`;
  const snippet = text.slice(fault.offset, fault.offset + 40).split('\n', 1)[0] ?? '';
  return `${fault.message} at ${JSON.stringify(snippet)}: ${advice}`;
}

function isMalformed(text: string): boolean {
  try {
    parseTemplate(text);
    return false;
  } catch {
    return true;
  }
}

const SHOWN_PLACES = 5;

function placesOf(object: JsonObject, matches: (text: string) => boolean): string {
  const places: string[] = [];
  const visit = (value: Json, path: string): void => {
    if (typeof value === 'string') {
      if (value.includes('${') && matches(value)) places.push(path);
    } else if (Array.isArray(value)) {
      for (const [index, item] of (value as readonly Json[]).entries()) visit(item, `${path}[${index}]`);
    } else if (isObject(value)) {
      for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}.${key}`);
    }
  };
  visit(object, '');
  if (places.length === 0) return 'it';
  return places.slice(0, SHOWN_PLACES).join(', ') + (places.length > SHOWN_PLACES ? ' and more' : '');
}

function isSecret(object: JsonObject): boolean {
  return object.kind === 'Secret';
}

function isOptedOut({ metadata }: KubeObject): boolean {
  const { labels, annotations } = metadata as { readonly labels?: unknown; readonly annotations?: unknown };
  return [labels, annotations].some(
    (map) => isObject(map) && OPT_OUTS.some((name) => map[name] === 'disabled'),
  );
}

const SHOWN_NAMES = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name) => JSON.stringify(name.slice(0, 80)));
  return shown.join(', ') + (names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : '');
}
