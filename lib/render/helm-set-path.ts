import type { Json, JsonObject } from '../model/resource.ts';
import { isObject } from './parse-manifests.ts';

/** A key of a mapping, or an index of a list. */
export type PathStep = string | number;

/** The same bounds as helm's (strvals: MaxIndex, MaxNestedNameLevel). */
const MAX_INDEX = 65_536;
const MAX_STEPS = 30;

/**
 * The left side of helm's `--set`: `a.b`, `a\.b` for a dot in a key, `a[0]`, `a[0].b`, `a[0][1]`.
 * @returns what is wrong with it, as a text
 */
export function parseSetPath(text: string): readonly PathStep[] | string {
  const steps: PathStep[] = [];
  let at = 0;
  let key = '';
  const endKey = (): boolean => {
    if (key === '') return false;
    steps.push(key);
    key = '';
    return true;
  };
  while (at < text.length) {
    const character = text[at];
    if (character === '\\') {
      const escaped = String.fromCodePoint(text.codePointAt(at + 1) ?? 0x5c);
      key += escaped;
      at += 1 + escaped.length;
    } else if (character === '.') {
      // After an index a key begins; otherwise one ends.
      if (!endKey() && typeof steps.at(-1) !== 'number') return 'a key is empty';
      at += 1;
      if (at === text.length) return 'ends with a dot';
    } else if (character === '[') {
      if (!endKey() && typeof steps.at(-1) !== 'number') return 'an index without a key before it';
      const index = /^\[(\d{1,6})\](?=[.[]|$)/.exec(text.slice(at));
      if (index === null || Number(index[1]) > MAX_INDEX) {
        return `expected an index such as [0], at most ${MAX_INDEX}, and a dot or the end behind it`;
      }
      steps.push(Number(index[1]));
      at += index[0].length;
    } else if (character === '=' || character === ',') {
      return `"${character}" has to be written as "\\${character}"`;
    } else {
      key += character;
      at += 1;
    }
  }
  endKey();
  if (steps.length === 0) return 'is empty';
  if (steps.length > MAX_STEPS) return `more than ${MAX_STEPS} levels deep`;
  return steps;
}

const INT64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };
/** Helm reads numbers of values files as floating point, and templates print larger ones as 1e+06. */
const PRINTED_AS_THEY_ARE = 999_999;

/**
 * The right side of `--set`: true, false, null and whole numbers are what they look like, all else is text. Numbers that
 * a values file cannot carry unchanged stay text: in a manifest they come out the same, but for their quotes in toYaml.
 */
export function typedSetValue(text: string): Json {
  switch (text.toLowerCase()) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'null':
      return null;
    case '0':
      return 0;
  }
  if (text.startsWith('0') || !/^[-+]?\d{1,19}$/.test(text)) return text;
  const value = BigInt(text.replace(/^\+/, ''));
  if (value < INT64.least || value > INT64.most) return text;
  return Math.abs(Number(value)) > PRINTED_AS_THEY_ARE ? text : Number(value);
}

/**
 * Values with one more at a path. Lists grow as needed, with nulls between. `beneath` are the values that these will be
 * laid over: a list replaces the one beneath as a whole, so it begins as that.
 */
export function setValue(
  values: Json | undefined,
  steps: readonly PathStep[],
  value: Json,
  beneath: Json | undefined,
): Json {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (typeof step === 'string') {
    const map = isObject(values) ? values : {};
    const inner = setValue(
      member(map, step),
      rest,
      value,
      isObject(beneath) ? member(beneath, step) : undefined,
    );
    return { ...map, [step]: inner };
  }
  const started = Array.isArray(values) ? values : Array.isArray(beneath) ? beneath : [];
  const list = [...(started as readonly Json[])];
  while (list.length <= step) list.push(null);
  // What lies in the list has come along already: nothing is laid over it any more.
  list[step] = setValue(list[step], rest, value, undefined);
  return list;
}

/** As helm merges values files: mappings into each other, everything else replaces what was there. */
export function mergeValues(under: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const before = member(under, key);
    const both = isObject(value) && isObject(before) ? mergeValues(before, value) : value;
    Object.defineProperty(merged, key, { value: both, enumerable: true, writable: true, configurable: true });
  }
  return merged;
}

function member(map: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}
