import type { LeafValue } from './leaf.ts';
import { textLeaf } from './leaf.ts';

const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const TIME = /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]| )(\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?(Z|[-+]\d\d:\d\d)?)?$/;

/**
 * A plain scalar as SOPS reads it, which is go-yaml v3 and so differs from Kubernetes (go-scalars.ts): `yes` and `on` are
 * text, dates are times. null: not looked at. undefined: nothing that SOPS could have encrypted a file with.
 */
export function resolveForSops(text: string): LeafValue | null | undefined {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return { type: 'bool', value: true };
  if (/^(?:false|False|FALSE)$/.test(text)) return { type: 'bool', value: false };
  if (/^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$|^<<$/.test(text)) return undefined;
  if (!/^[-+.0-9]/.test(text)) return textLeaf(text);
  const time = timeOf(text);
  if (time !== undefined) return time;
  const plain = text.replaceAll('_', '');
  const match = INTEGER.exec(plain);
  if (match !== null) return integerOf(match);
  if (!FLOAT.test(plain)) return textLeaf(text);
  const value = Number(plain);
  return Number.isFinite(value) ? { type: 'float', value } : textLeaf(text);
}

function integerOf(match: RegExpExecArray): LeafValue | undefined {
  const [, sign, hex, binary, octal, decimal] = match;
  const digits = hex ?? binary ?? octal ?? decimal ?? '0';
  if (digits.length > 70) return undefined;
  const prefix = hex !== undefined ? '0x' : binary !== undefined ? '0b' : octal !== undefined ? '0o' : '';
  const magnitude = BigInt(prefix + digits);
  const value = sign === '-' ? -magnitude : magnitude;
  // Beyond that Go has another type, or a float with fewer digits than were written.
  return BigInt.asIntN(64, value) === value ? { type: 'int', digits: String(value) } : undefined;
}

function timeOf(text: string): LeafValue | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0', fraction = '', zone] =
    match;
  // A time of day apart by a blank has no zone, and one apart by T has to have one.
  const isBlank = text.includes(' ');
  if (match[4] !== undefined && isBlank === (zone !== undefined)) return undefined;
  const two = (part: string) => part.padStart(2, '0');
  const base = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
  const parsed = new Date(`${base}Z`);
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 19) !== base) return undefined;
  const kept = fraction.slice(0, 9).replace(/0+$/, '');
  const offset = zone === undefined || /^[-+]00:00$/.test(zone) ? 'Z' : zone;
  return { type: 'time', text: `${base}${kept === '' ? '' : `.${kept}`}${offset}` };
}
