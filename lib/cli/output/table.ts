import { printable } from '../../plan/printable.ts';

/**
 * Columns under their headers, two spaces apart, without trailing blanks. Cells come from Git and from clusters and are
 * made safe to print. No rows: no lines.
 */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const cells = [headers, ...rows].map((row) => row.map(printable));
  const widths = headers.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Cut at the end of a word's worth, for columns that may hold an error message. */
export function shorten(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}
