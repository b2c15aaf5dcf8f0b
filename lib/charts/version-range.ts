import { SemVer } from 'semver';

/**
 * The grammar of Masterminds/semver 3.4, which helm reads versions with. It differs from npm's: a comma is AND, parts
 * may be missing anywhere, and prereleases count for a whole AND group as soon as one of its comparators names one.
 */
export type VersionRange = (version: SemVer) => boolean;

interface Comparator {
  readonly operator: string;
  readonly version: SemVer;
  /** The first part that is a wildcard or missing. */
  readonly open: 'major' | 'minor' | 'patch' | undefined;
}

const PRERELEASE = String.raw`(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?`;
const BUILD = String.raw`(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?`;
const VERSION = new RegExp(String.raw`^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?${PRERELEASE}${BUILD}$`);
const PART = String.raw`(\d+|[xX*])`;
const PARTIAL = new RegExp(String.raw`v?${PART}(?:\.${PART})?(?:\.${PART})?${PRERELEASE}${BUILD}`, 'y');
const OPERATOR = /!=|>=|=>|<=|=<|~>|>|<|~|\^|=|/y;
const SPACE = /\s*/y;
const HYPHEN = /\s+-\s+/y;
const SEPARATOR = /\s+(?!\s*(?:,|$))|\s*,\s*/y;
/** Nobody writes longer ones. */
const MAX_LENGTH = 256;

/** A version as charts carry them: a leading v, missing parts and leading zeros are tolerated. */
export function parseVersion(text: string): SemVer | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const [, major = '0', minor = '0', patch = '0', prerelease, build] = match;
  return semVerOf([major, minor, patch], prerelease, build);
}

/** Whether all three parts are there, and nothing in front of them. */
export function isStrictVersion(text: string): boolean {
  return /^\d+\.\d+\.\d+(?:[-+]|$)/.test(text) && parseVersion(text) !== undefined;
}

/** @returns undefined for what is no range */
export function parseRange(text: string): VersionRange | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const groups = text.split('||').map(parseGroup);
  const valid = groups.filter((group) => group !== undefined);
  if (valid.length < groups.length) return undefined;
  return (version) => valid.some((group) => matchesAll(group, version));
}

/** Comparators that all have to hold: `>=1.2, <2`, `1.2 - 1.4`. */
function parseGroup(text: string): readonly Comparator[] | undefined {
  const comparators: Comparator[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    at += match?.[0].length ?? 0;
    return match;
  };
  take(SPACE);
  while (true) {
    const operator = take(OPERATOR)?.[0] ?? '';
    take(SPACE);
    const version = parsePartial(take(PARTIAL), operator);
    if (version === undefined) return undefined;
    if (operator === '' && take(HYPHEN) !== null) {
      const end = parsePartial(take(PARTIAL), '<=');
      if (end === undefined) return undefined;
      comparators.push({ ...version, operator: '>=' }, end);
    } else {
      comparators.push(version);
    }
    if (text.slice(at).trim() === '') return comparators;
    if (take(SEPARATOR) === null) return undefined;
  }
}

function parsePartial(match: RegExpExecArray | null, operator: string): Comparator | undefined {
  if (match === null) return undefined;
  const [, major = '*', minor = '*', patch = '*', prerelease, build] = match;
  const numbers = [major, minor, patch];
  const firstOpen = numbers.findIndex((part) => /[xX*]/.test(part));
  const open = firstOpen < 0 ? undefined : (['major', 'minor', 'patch'] as const)[firstOpen];
  const closed = firstOpen < 0 ? numbers : numbers.map((part, index) => (index < firstOpen ? part : '0'));
  const version = semVerOf(closed, prerelease, open === undefined ? build : undefined);
  return version === undefined ? undefined : { operator, version, open };
}

function semVerOf(numbers: readonly string[], prerelease?: string, build?: string): SemVer | undefined {
  const digits = numbers.map((part) => part.replace(/^0+(?=\d)/, '')).join('.');
  const suffix = `${prerelease === undefined ? '' : `-${prerelease}`}${build === undefined ? '' : `+${build}`}`;
  try {
    return new SemVer(`${digits}${suffix}`);
  } catch {
    // Numbers beyond what can be compared, and numeric prerelease parts with leading zeros.
    return undefined;
  }
}

function matchesAll(comparators: readonly Comparator[], version: SemVer): boolean {
  const namesPrerelease = comparators.some((each) => each.version.prerelease.length > 0);
  if (version.prerelease.length > 0 && !namesPrerelease) return false;
  return comparators.every((comparator) => matches(comparator, version));
}

function matches({ operator, version: bound, open }: Comparator, version: SemVer): boolean {
  const order = version.compare(bound);
  switch (operator) {
    case '!=':
      return isOther(version, bound, open);
    case '>':
      return open === 'minor' || open === 'patch' ? isBeyond(version, bound, open) : order > 0;
    case '<':
      return order < 0;
    case '>=':
    case '=>':
      return order >= 0;
    case '<=':
    case '=<':
      return open === undefined ? order <= 0 : isWithin(version, bound, open);
    case '^':
      return order >= 0 && isCompatible(version, bound, open);
    case '~':
    case '~>':
      return order >= 0 && isSameSeries(version, bound, open);
    default:
      // Equal; a wildcard opens it to the series.
      return open === undefined ? order === 0 : order >= 0 && isSameSeries(version, bound, open);
  }
}

/** `!=1.x`: outside of the whole series. */
function isOther(version: SemVer, bound: SemVer, open: Comparator['open']): boolean {
  if (open === undefined || open === 'major') return version.compare(bound) !== 0;
  if (version.major !== bound.major) return true;
  if (open === 'minor') return false;
  return version.minor !== bound.minor || version.comparePre(bound) !== 0;
}

/** `>11`: 11.1.0 is none of it. */
function isBeyond(version: SemVer, bound: SemVer, open: 'minor' | 'patch'): boolean {
  if (version.major !== bound.major) return version.major > bound.major;
  return open === 'patch' && version.minor > bound.minor;
}

/** `<=11`: 11.1.0 is part of it. */
function isWithin(version: SemVer, bound: SemVer, open: NonNullable<Comparator['open']>): boolean {
  if (version.major !== bound.major) return version.major < bound.major;
  return open === 'minor' || version.minor <= bound.minor;
}

function isSameSeries(version: SemVer, bound: SemVer, open: Comparator['open']): boolean {
  // `*`, and by a special rule of the grammar ~0.0.0 too, are everything.
  const isZero = bound.major === 0 && bound.minor === 0 && bound.patch === 0;
  if (isZero && open !== 'minor' && open !== 'patch') return true;
  return version.major === bound.major && (open === 'minor' || version.minor === bound.minor);
}

/** Equal down to the first part that is not zero; `^*` is therefore 0.0.0 alone, which nobody means and helm does. */
function isCompatible(version: SemVer, bound: SemVer, open: Comparator['open']): boolean {
  if (bound.major > 0 || open === 'minor') return version.major === bound.major;
  if (version.major > 0) return false;
  if (bound.minor > 0 || open === 'patch') return version.minor === bound.minor;
  return version.minor === bound.minor && version.patch === bound.patch;
}
