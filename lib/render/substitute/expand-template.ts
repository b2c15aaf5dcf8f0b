import type { TemplateNode } from './parse-template.ts';
import {
  byteLength,
  lengthOfReplaceAll,
  lowerCase,
  lowerCaseFirst,
  removePrefix,
  removeSuffix,
  replaceAll,
  replaceFirst,
  replacePrefix,
  replaceSuffix,
  substring,
  upperCase,
  upperCaseFirst,
} from './string-operations.ts';

export interface Expanded {
  readonly text: string;
  /** Undefined, and used without a default. Non-empty: the text counts for nothing. */
  readonly missing: ReadonlySet<string>;
  /** Cut through a character by `${v:n}`. */
  readonly cut: ReadonlySet<string>;
  /** Every variable that was looked at, defined or not: it may show in the text, if only by its length. */
  readonly used: ReadonlySet<string>;
}

/** The result, or what leads to it, is larger or costlier than allowed. */
export class ExpansionLimit extends Error {}

/** One object's worth of comparing globs. */
const MAX_STEPS = 50_000_000;

/**
 * Values are taken as they are and not expanded again, so it ends. All arguments are evaluated, needed or not: an
 * undefined variable in a default counts even where the default is not used (as in Flux).
 *
 * @throws ExpansionLimit
 */
export function expandTemplate(
  nodes: readonly TemplateNode[],
  variables: ReadonlyMap<string, string>,
  maxLength: number,
): Expanded {
  const context = {
    variables,
    maxLength,
    missing: new Set<string>(),
    cut: new Set<string>(),
    used: new Set<string>(),
    steps: 0,
  };
  const parts: string[] = [];
  let length = 0;
  for (const node of nodes) {
    const part = evaluate(node, context);
    length += part.length;
    assertLength(context, length);
    parts.push(part);
  }
  const { missing, cut, used } = context;
  return { text: parts.join(''), missing, cut, used };
}

interface Context {
  readonly variables: ReadonlyMap<string, string>;
  readonly maxLength: number;
  readonly missing: Set<string>;
  readonly cut: Set<string>;
  readonly used: Set<string>;
  steps: number;
}

/** Their contract is the unset variable, so they do not count it as missing. `:?` and `:+` act as a default, as in Flux. */
const DEFAULTS: ReadonlySet<string> = new Set(['=', ':=', ':-', ':?', ':+']);

function evaluate(node: TemplateNode, context: Context): string {
  if (node.kind === 'text') return node.text;
  const parts = node.arguments.map((argument) => evaluate(argument, context));
  const value = context.variables.get(node.name);
  context.used.add(node.name);
  if (value === undefined && !DEFAULTS.has(node.operator)) context.missing.add(node.name);
  const result = operate(node, value ?? '', parts, context);
  assertLength(context, result.length);
  return result;
}

function operate(
  { name, operator }: Extract<TemplateNode, { readonly kind: 'expansion' }>,
  value: string,
  parts: readonly string[],
  context: Context,
): string {
  const [first = '', second = ''] = parts;
  switch (operator) {
    case '^':
      return upperCaseFirst(value);
    case '^^':
      return upperCase(value);
    case ',':
      return lowerCaseFirst(value);
    case ',,':
      return lowerCase(value);
    case ':': {
      const cut = substring(value, first, parts[1]);
      if (cut === undefined) context.cut.add(name);
      return cut ?? '';
    }
    case '#':
      return parts.length === 0 ? byteLength(value) : remove('prefix', 'shortest');
    case '##':
      return remove('prefix', 'longest');
    case '%':
      return remove('suffix', 'shortest');
    case '%%':
      return remove('suffix', 'longest');
    case '/':
      return replaceFirst(value, first, second);
    case '//':
      assertLength(context, lengthOfReplaceAll(value, first, second));
      return replaceAll(value, first, second);
    // Without a replacement these two do nothing, unlike the two above.
    case '/#':
      return parts.length === 1 ? value : replacePrefix(value, first, second);
    case '/%':
      return parts.length === 1 ? value : replaceSuffix(value, first, second);
    default:
      // The defaults; and `${v}`, `${v^,}` and `${v,^}`, which have no arguments to fall back on.
      return value === '' ? parts.join('') : value;
  }

  function remove(end: 'prefix' | 'suffix', which: 'shortest' | 'longest'): string {
    context.steps += (value.length + 1) * (first.length + 1);
    if (context.steps > MAX_STEPS) throw new ExpansionLimit('comparing its patterns takes too long');
    return end === 'prefix' ? removePrefix(value, first, which) : removeSuffix(value, first, which);
  }
}

function assertLength(context: Context, length: number): void {
  if (length > context.maxLength)
    throw new ExpansionLimit(`it would grow beyond ${context.maxLength} characters`);
}
