/** Suffixes of decimal quantities with their power of ten. */
const DECIMAL: readonly (readonly [string, number])[] = [
  ['E', 18],
  ['P', 15],
  ['T', 12],
  ['G', 9],
  ['M', 6],
  ['k', 3],
  ['', 0],
  ['m', -3],
  ['u', -6],
  ['n', -9],
];
const BINARY: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO_DIGITS = 9;
const NANO = 10n ** 9n;
// Beyond this a quantity is capped by the API server; here it is left as it is.
const LONGEST = 40;

/**
 * The API server's way to write a quantity: no fraction, the largest suffix that needs none (`1000m` is `1`, `1024Mi`
 * is `1Gi`, `0.5` is `500m`). What is not a quantity is returned as it is.
 */
export function canonicalQuantity(value: string | number): string {
  const text = String(value);
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?$/.exec(text);
  if (match === null || text.length > LONGEST) return text;
  const [, sign = '', whole = '', fraction = '', exponent, suffix = ''] = match;
  if (whole === '' && fraction === '') return text;
  const power = exponent === undefined ? decimalPower(suffix) : Number(exponent.slice(1));
  const binary = suffix.endsWith('i') ? 1024n ** BigInt(BINARY.indexOf(suffix)) : 1n;
  const nano = scale(BigInt(`${whole}${fraction}`) * binary, power - fraction.length + NANO_DIGITS);
  const prefix = sign === '-' && nano !== 0n ? '-' : '';
  if (suffix.endsWith('i') && nano >= 1024n * NANO && nano % NANO === 0n)
    return prefix + asBinary(nano / NANO);
  return prefix + asDecimal(nano, exponent !== undefined);
}

function decimalPower(suffix: string): number {
  return DECIMAL.find(([name]) => name === suffix)?.[1] ?? 0;
}

/** mantissa × 10^power, rounded up to a whole number. */
function scale(mantissa: bigint, power: number): bigint {
  if (power >= 0) return mantissa * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (mantissa + divisor - 1n) / divisor;
}

function asBinary(units: bigint): string {
  let index = 0;
  let rest = units;
  while (index < BINARY.length - 1 && rest % 1024n === 0n) {
    rest /= 1024n;
    index += 1;
  }
  return `${rest}${BINARY[index]}`;
}

function asDecimal(nano: bigint, exponential: boolean): string {
  if (nano === 0n) return '0';
  for (const [suffix, power] of DECIMAL) {
    const divisor = 10n ** BigInt(power + NANO_DIGITS);
    if (nano % divisor !== 0n) continue;
    return `${nano / divisor}${exponential && power !== 0 ? `e${power}` : suffix}`;
  }
  return `${nano}n`;
}
