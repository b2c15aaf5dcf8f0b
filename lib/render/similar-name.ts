const MAX_LENGTH = 64;

/** The name that was probably meant: one with at most two letters added, left out, changed or swapped. */
export function similarName(name: string, names: readonly string[]): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const mostChanges = name.length < 4 ? 1 : 2;
  let best: string | undefined;
  let fewest = mostChanges + 1;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) > mostChanges) continue;
    const changes = distance(name.toLowerCase(), candidate.toLowerCase());
    if (changes >= fewest) continue;
    fewest = changes;
    best = candidate;
  }
  return best;
}

/** Damerau-Levenshtein with adjacent swaps, over three rows. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
