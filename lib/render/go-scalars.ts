export type Scalar = null | boolean | number | string;

/**
 * Plain scalars as kubectl reads them: sigs.k8s.io/yaml on its fork of go-yaml v2 (resolve.go). That is YAML 1.1 with
 * differences of its own: `y` and `on` are true, 0o10 and 010 are 8, 12:30:45 and dates stay text, 08 is 8, 1e400 is text.
 * test/render/go-scalars.test.ts holds what kubectl answered.
 */
const WORDS = new Map<string, Scalar>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map(
    (word) => [word, true] as const,
  ),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(
    (word) => [word, false] as const,
  ),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map(
    (word) => [word, Number.POSITIVE_INFINITY] as const,
  ),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
]);

const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const LEADING_POINT = /^\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?$/;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export function resolvePlainScalar(text: string): Scalar {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  if (first === 0x2e) return LEADING_POINT.test(text) ? finite(text.replaceAll('_', ''), text) : text;
  const mayBeNumber = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d;
  if (!mayBeNumber) return text;
  const plain = text.includes('_') ? text.replaceAll('_', '') : text;
  const integer = parseInteger(plain);
  // `|| 0`: Go has no negative zero among its integers.
  if (integer !== undefined) return Number(integer) || 0;
  return FLOAT.test(plain) ? finite(plain, text) : text;
}

/** Whether an integer would silently become another one: JSON numbers here are doubles, the API server's are int64. */
export function isInexactInteger(text: string): boolean {
  const integer = parseInteger(text.replaceAll('_', ''));
  return integer !== undefined && BigInt(Number(integer)) !== integer;
}

function parseInteger(plain: string): bigint | undefined {
  const match = INTEGER.exec(plain);
  if (match === null) return undefined;
  const [, sign, hex, binary, octal, decimal] = match;
  const prefix = hex !== undefined ? '0x' : binary !== undefined ? '0b' : octal !== undefined ? '0o' : '';
  const digits = hex ?? binary ?? octal ?? decimal ?? '0';
  // A BigInt of a megabyte of digits would take seconds; none longer than this fits into 64 bits, except by leading zeros.
  if (digits.length > 70) return undefined;
  const magnitude = BigInt(prefix + digits);
  const value = sign === '-' ? -magnitude : magnitude;
  return value < INT64_MIN || value > UINT64_MAX ? undefined : value;
}

function finite(number: string, text: string): Scalar {
  const value = Number.parseFloat(number);
  return Number.isFinite(value) ? value : text;
}
