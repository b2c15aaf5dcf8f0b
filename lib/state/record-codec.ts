import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { HoldfastError } from '../model/errors.ts';
import type { RecordKey, RecordTable, TableRecord, WriteCondition } from './record-table.ts';

export interface Versioned<T> {
  readonly version: number;
  readonly value: T;
}

/**
 * @throws HoldfastError `state-schema` for a record of a newer schema: an older function, still running during a deploy,
 * must not write over what it does not understand.
 */
export function decode<T extends { readonly schema: number }>(record: TableRecord, newest = 1): Versioned<T> {
  const value = JSON.parse(bodyOf(record)) as T;
  if (typeof value.schema !== 'number' || value.schema > newest) {
    throw new HoldfastError(
      'state-schema',
      `the record ${record.pk} ${record.sk} has schema ${String(value.schema)}, this version knows up to ${newest}: finish the upgrade, or roll it back`,
      { retryable: true },
    );
  }
  return { version: record.version, value };
}

/** Above this a body is stored compressed: an item holds 400 KB, and a run may report thousands of errors. */
const PLAIN_BODY_LIMIT = 32_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export function encode(value: unknown): Pick<TableRecord, 'body' | 'bytes'> {
  const body = JSON.stringify(value);
  return body.length <= PLAIN_BODY_LIMIT ? { body } : { body: '', bytes: brotliCompressSync(body) };
}

function bodyOf(record: TableRecord): string {
  if (record.body !== '' || record.bytes === undefined) return record.body;
  return brotliDecompressSync(record.bytes, { maxOutputLength: MAX_BODY_BYTES }).toString();
}

export async function read<T extends { readonly schema: number }>(
  table: RecordTable,
  key: RecordKey,
  newest = 1,
): Promise<Versioned<T> | undefined> {
  const record = await table.get(key);
  return record === undefined ? undefined : decode<T>(record, newest);
}

/** Reads, decides purely, writes under the version that was read, and starts over if someone else was quicker. */
export async function compareAndSwap<T extends { readonly schema: number }, R>(
  table: RecordTable,
  key: RecordKey,
  decide: (current: T | undefined) => { readonly next?: T | undefined; readonly result: R },
  indexOf: (next: T) => Pick<TableRecord, 'list' | 'due'> = () => ({}),
): Promise<R> {
  for (let round = 0; round < 100; round++) {
    const current = await read<T>(table, key);
    const { next, result } = decide(current?.value);
    if (next === undefined) return result;
    const record = {
      ...key,
      version: (current?.version ?? 0) + 1,
      ...encode(next),
      ...indexOf(next),
    };
    const condition: WriteCondition = current === undefined ? 'absent' : { version: current.version };
    if (await table.put(record, condition)) return result;
  }
  throw new HoldfastError('internal', `gave up writing ${key.pk} ${key.sk}: it changed 100 times meanwhile`, {
    retryable: true,
  });
}
