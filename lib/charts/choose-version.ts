import { rcompare } from 'semver';
import { parseRange, parseVersion } from './version-range.ts';

/**
 * The one of these that helm would take: the very text if it is there, else the newest in the range. What is no version
 * is passed over. Of versions that differ in their build alone the first one listed.
 * @returns undefined when none is in the range, or when it is no range
 */
export function chooseVersion(available: readonly string[], wanted: string): string | undefined {
  const sorted = newestFirst(available);
  if (sorted.includes(wanted)) return wanted;
  const inRange = parseRange(wanted);
  if (inRange === undefined) return undefined;
  return sorted.find((text) => {
    const version = parseVersion(text);
    return version !== undefined && inRange(version);
  });
}

/** Without what is no version. */
export function newestFirst(available: readonly string[]): readonly string[] {
  return available
    .flatMap((text) => {
      const version = parseVersion(text);
      return version === undefined ? [] : [{ text, version }];
    })
    .sort((a, b) => rcompare(a.version, b.version))
    .map(({ text }) => text);
}

/** Equal in all that is written, but for a leading v, leading zeros and parts left out. */
export function isSameVersion(one: string, other: string): boolean {
  const [a, b] = [parseVersion(one), parseVersion(other)];
  if (a === undefined || b === undefined) return one === other;
  return a.compare(b) === 0 && a.build.join('.') === b.build.join('.');
}

/** For a message: what there is instead of `wanted`, the newest first, at most five. */
export function whatExists(available: readonly string[], wanted: string): string {
  const versions = newestFirst(available);
  if (versions.length === 0) return 'it has no versions at all';
  const named = versions.slice(0, 5).join(', ');
  const more = versions.length > 5 ? ` and ${versions.length - 5} older ones` : '';
  const hint = onlyPrereleaseMatches(versions, wanted)
    ? `; prereleases are only taken by a range that names one, such as ">=0.0.0-0"`
    : '';
  return `it has ${named}${more}${hint}`;
}

function onlyPrereleaseMatches(versions: readonly string[], wanted: string): boolean {
  const inRange = parseRange(wanted);
  if (inRange === undefined) return false;
  return versions.some((text) => {
    const version = parseVersion(text);
    if (version === undefined || version.prerelease.length === 0) return false;
    const release = parseVersion(`${version.major}.${version.minor}.${version.patch}`);
    return release !== undefined && inRange(release);
  });
}
