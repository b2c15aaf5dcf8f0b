/** A JSON pointer (RFC 6901) of a place in a value. */
export function pointerOf(steps: readonly string[]): string {
  return steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function stepsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What lies at a pointer; undefined: nothing. */
export function valueAt(value: unknown, pointer: string): unknown {
  return stepsOf(pointer).reduce<unknown>((inner, step) => {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, step)) return undefined;
    return (inner as Readonly<Record<string, unknown>>)[step];
  }, value);
}

/** The value with another one at a pointer; as it is, where the pointer leads nowhere. */
export function withValueAt<T>(value: T, pointer: string, replacement: unknown): T {
  return replaced(value, stepsOf(pointer), replacement) as T;
}

function replaced(value: unknown, [step, ...rest]: readonly string[], replacement: unknown): unknown {
  if (step === undefined) return replacement;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) =>
      String(index) === step ? replaced(item, rest, replacement) : item,
    );
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return value;
  const inner = (value as Readonly<Record<string, unknown>>)[step];
  return { ...value, [step]: replaced(inner, rest, replacement) };
}
