import { sopsFault } from './sops-fault.ts';

/** A value as SOPS has it: Go's types, because the MAC is over what Go makes of them. */
export type LeafValue =
  /** Bytes, for a binary file need not be text. */
  | { readonly type: 'str'; readonly bytes: Uint8Array }
  /** Decimal digits, exactly. */
  | { readonly type: 'int'; readonly digits: string }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  /** RFC 3339. */
  | { readonly type: 'time'; readonly text: string };

/** One value of a file, in the order of the file. Nulls are none: SOPS does not look at them. */
export interface Leaf {
  /** Keys of mappings from the outside in; positions in lists are not part of it. */
  readonly path: readonly string[];
  readonly value: LeafValue;
  /** Puts the decrypted value in its place. */
  replace(value: LeafValue): void;
}

/** A file taken apart by its format. */
export interface EncryptedFile {
  /** What stands under `sops`, numbers and booleans as they are or as text. */
  readonly metadata: unknown;
  readonly leaves: readonly Leaf[];
  /** Without its metadata, and with what was replaced. */
  write(): Uint8Array;
}

export function textLeaf(text: string): LeafValue {
  return { type: 'str', bytes: Buffer.from(text) };
}

/** What a value adds to the MAC. */
export function macBytes(value: LeafValue): Uint8Array {
  switch (value.type) {
    case 'str':
      return value.bytes;
    case 'int':
      return Buffer.from(value.digits);
    case 'float':
      return Buffer.from(formatFloat(value.value));
    case 'bool':
      return Buffer.from(value.value ? 'True' : 'False');
    case 'time':
      return Buffer.from(value.text);
  }
}

/** Go's strconv.FormatFloat(v, 'f', -1, 64): the shortest digits, never an exponent. */
export function formatFloat(value: number): string {
  if (Object.is(value, -0)) return '-0';
  const [mantissa = '', exponentText] = String(value).split('e');
  if (exponentText === undefined) return mantissa;
  const exponent = Number(exponentText);
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.slice(sign.length).split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** @throws HoldfastError where bytes have to be text and are none */
export function textOf(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw sopsFault(`${where} is not UTF-8 text: encrypt it as a binary file`);
  }
}

/** As it is written out; @throws HoldfastError where bytes have to be text and are none */
export function wordOf(value: LeafValue, place: string): string {
  switch (value.type) {
    case 'str':
      return textOf(value.bytes, place);
    case 'int':
      return value.digits;
    case 'float':
      return formatFloat(value.value);
    case 'bool':
      return String(value.value);
    case 'time':
      return value.text;
  }
}
