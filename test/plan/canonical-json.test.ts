import fc from 'fast-check';
import { canonicalJson } from '../../lib/plan/canonical-json.ts';
import { hashKeyId, keyedHash } from '../../lib/plan/keyed-hash.ts';
import { KEY } from './world.ts';

describe('canonical JSON', () => {
  it('is the same text whatever the order of the members', () => {
    const shuffled = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(shuffled)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([name, member]) => [name, shuffled(member)]),
            )
          : value;

    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(shuffled(value))).toBe(canonicalJson(value));
      }),
    );
  });

  it('reads back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.stringify(JSON.parse(canonicalJson(value)))).toBe(
          JSON.stringify(JSON.parse(canonicalJson(JSON.parse(canonicalJson(value))))),
        );
        expect(canonicalJson(JSON.parse(canonicalJson(value)))).toBe(canonicalJson(value));
      }),
    );
  });

  it('drops members that are undefined and keeps keys that JavaScript finds special', () => {
    const value = JSON.parse('{"__proto__":"x","b":1}') as Record<string, unknown>;

    const text = canonicalJson({ ...value, a: undefined });

    expect(text).toBe('{"__proto__":"x","b":1}');
  });

  it('rejects what JSON cannot carry', () => {
    expect(() => canonicalJson({ a: Number.NaN })).toThrow(/has no place in JSON/);
    expect(() => canonicalJson({ a: 1n })).toThrow(/has no place in JSON/);
  });

  it('rejects nesting without end', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i += 1) {
      deep = [deep];
    }

    expect(() => canonicalJson(deep)).toThrow(/nested/);
  });
});

describe('a keyed hash', () => {
  it('names its key and depends on it', () => {
    const other = { id: 'k2', key: new Uint8Array(32).fill(8) };

    expect(keyedHash(KEY, 'x')).toMatch(/^k1:[0-9a-f]{64}$/);
    expect(keyedHash(other, 'x').slice(3)).not.toBe(keyedHash(KEY, 'x').slice(3));
    expect(hashKeyId(keyedHash(other, 'x'))).toBe('k2');
    expect(hashKeyId('hunter2')).toBeUndefined();
  });
});
