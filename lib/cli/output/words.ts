/** The first digits of a commit, as git shows them. */
export function shortSha(sha: string | undefined): string {
  return sha === undefined ? '-' : sha.slice(0, 8);
}

/** `12s ago`, `5m ago`, `3h ago`, `4d ago`. */
export function ago(now: number, at: number | undefined): string {
  if (at === undefined || at === 0) return 'never';
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  if (seconds < 120) return `${seconds}s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h ago`;
  return `${Math.round(seconds / 86_400)}d ago`;
}

/** ISO 8601 in UTC; undefined stays undefined. */
export function isoTime(at: number | undefined): string | undefined {
  return at === undefined || at === 0 ? undefined : new Date(at).toISOString();
}

/** `1.2s`, `340ms` */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)}ms` : `${(milliseconds / 1000).toFixed(1)}s`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
