import { textLeaf, wordOf } from './leaf.ts';
import type { EncryptedFile, Leaf } from './leaf.ts';
import { sopsFault } from './sops-fault.ts';

const PREFIX = 'sops_';
const MAX_LIST = 100;

/**
 * `NAME=value` lines. Comments stay, encrypted ones go. Metadata is flattened into `sops_…` lines.
 *
 * @throws HoldfastError `render-failed`
 */
export function readDotenvFile(text: string): EncryptedFile {
  const lines: string[] = [];
  const leaves: Leaf[] = [];
  const flat = new Map<string, string>();
  const names = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#ENC[')) continue;
    if (line.startsWith('#')) {
      lines.push(line);
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 0) throw sopsFault(`line ${index + 1}: expected NAME=value`);
    const name = line.slice(0, equals);
    if (names.has(name)) throw sopsFault(`line ${index + 1}: a name that stands there already`);
    names.add(name);
    const value = line.slice(equals + 1).replaceAll('\\n', '\n');
    if (name.startsWith(PREFIX)) flat.set(name.slice(PREFIX.length), value);
    else {
      const at = lines.push(line) - 1;
      leaves.push({
        path: [name],
        value: textLeaf(value),
        replace: (plain) => {
          lines[at] = `${name}=${wordOf(plain, name).replaceAll('\n', '\\n')}`;
        },
      });
    }
  }
  return {
    metadata: flat.size === 0 ? undefined : unflatten(flat),
    leaves,
    write: () => Buffer.from(lines.map((line) => `${line}\n`).join('')),
  };
}

/** `age__list_0__map_enc` is `age[0].enc`. */
function unflatten(flat: ReadonlyMap<string, string>): unknown {
  const root = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of flat) {
    const steps = name.split(/__(?=(?:map|list)_)/);
    let container: Record<string, unknown> | unknown[] = root;
    for (const [index, step] of steps.entries()) {
      const key = stepKey(step, index);
      const next = steps[index + 1];
      const inner: unknown =
        next === undefined
          ? value
          : (at(container, key) ?? (next.startsWith('list_') ? [] : (Object.create(null) as object)));
      if (Array.isArray(container) !== (typeof key === 'number')) throw broken(name);
      (container as Record<string | number, unknown>)[key] = inner;
      if (next === undefined) break;
      if (typeof inner !== 'object' || inner === null) throw broken(name);
      container = inner as Record<string, unknown>;
    }
  }
  return root;
}

function stepKey(step: string, index: number): string | number {
  if (index === 0) return step;
  if (step.startsWith('map_')) return step.slice('map_'.length);
  const position = Number(step.slice('list_'.length));
  if (!Number.isInteger(position) || position < 0 || position >= MAX_LIST) throw broken(step);
  return position;
}

function at(container: Record<string, unknown> | unknown[], key: string | number): unknown {
  return (container as Record<string | number, unknown>)[key];
}

function broken(name: string): Error {
  return sopsFault(`${PREFIX}${name.slice(0, 80)}: broken metadata`);
}
