import { isInexactInteger, resolvePlainScalar } from '../../lib/render/go-scalars.ts';

/** What `kubectl apply --dry-run=client` 1.35 made of each plain scalar. */
const KUBECTL: readonly (readonly [string, unknown])[] = [
  ['yes', true],
  ['y', true],
  ['Y', true],
  ['on', true],
  ['true', true],
  ['tRUE', 'tRUE'],
  ['n', false],
  ['off', false],
  ['NO', false],
  ['~', null],
  ['', null],
  ['NULL', null],
  ['nUll', 'nUll'],
  ['010', 8],
  ['0o10', 8],
  ['0O17', 15],
  ['0o8', '0o8'],
  ['-010', -8],
  ['00', 0],
  ['0777', 511],
  ['08', 8],
  ['1_000', 1000],
  ['1__0', 10],
  ['_1', '_1'],
  ['0_1', 1],
  ['12:30:45', '12:30:45'],
  ['190:20:30', '190:20:30'],
  ['2020-01-01', '2020-01-01'],
  ['0x1F', 31],
  ['0X1f', 31],
  ['-0x10', -16],
  ['0x', '0x'],
  ['0b11', 3],
  ['0B11', 3],
  ['+0b1', 1],
  ['-0b11', -3],
  ['0b', '0b'],
  ['1e3', 1000],
  ['1.e5', 100000],
  ['1.', 1],
  ['1.0', 1],
  ['.5', 0.5],
  ['.5e1', 5],
  ['+.5', 0.5],
  ['.5_0', 0.5],
  ['._5', '._5'],
  ['1_0.5', 10.5],
  ['1e400', '1e400'],
  ['1e-7', 1e-7],
  ['+1', 1],
  ['-0', 0],
  ['-', '-'],
  ['=', '='],
  ['1.2.3', '1.2.3'],
  ['1e', '1e'],
  ['18446744073709551615', 18446744073709552000],
  ['123456789012345678901234567890', 1.2345678901234568e29],
];

describe('plain scalars', () => {
  it.each(KUBECTL)('reads %j as kubectl does', (text, expected) => {
    const value = resolvePlainScalar(text);

    expect(value).toBe(expected);
  });

  it('reads infinity and not-a-number, which the caller refuses', () => {
    const values = ['.inf', '-.Inf', '+.INF', '.NaN'].map(resolvePlainScalar);

    expect(values).toEqual([Infinity, -Infinity, Infinity, NaN]);
  });

  it('tells the integers that a double cannot hold', () => {
    const inexact = ['9007199254740993', '9223372036854775807', '0x20000000000001'].map(isInexactInteger);
    const exact = [
      '9007199254740992',
      '-1',
      '9223372036854775808',
      '1.5',
      'a',
      '123456789012345678901234567890',
    ].map(isInexactInteger);

    expect(inexact).toEqual([true, true, true]);
    expect(exact).toEqual([false, false, false, false, false, false]);
  });

  it('takes no time over a megabyte of digits', () => {
    const digits = '9'.repeat(1_000_000);

    const value = resolvePlainScalar(digits);

    expect(value).toBe(digits);
  });
});
