/** Names of the table's indexes; both hold keys only. */
export const LIST_INDEX = 'list';
export const DUE_INDEX = 'due';

/** One item of the table. `body` is JSON text, so that a record reads the same in every adapter. */
export interface TableRecord {
  readonly pk: string;
  readonly sk: string;
  /** Grows by one with each write; the condition of every safety step. */
  readonly version: number;
  readonly body: string;
  readonly bytes?: Uint8Array;
  /** Discovery only: eventually consistent indexes. */
  readonly list?: { readonly key: string; readonly sort: string };
  readonly due?: { readonly key: string; readonly at: number };
  /** Seconds since the epoch; the item may be removed some time after it. */
  readonly expiresAt?: number;
}

export interface RecordKey {
  readonly pk: string;
  readonly sk: string;
}

/** What must hold of the stored item for a write to happen; one item, so one condition. */
export type WriteCondition = { readonly version: number } | 'absent' | 'always';

/**
 * The few operations that the state room needs of DynamoDB. Reads of items are strongly consistent;
 * `list` and `due` read indexes and serve discovery only.
 */
export interface RecordTable {
  get(key: RecordKey): Promise<TableRecord | undefined>;
  /** In no particular order; absent ones are left out. */
  getMany(keys: readonly RecordKey[]): Promise<readonly TableRecord[]>;
  /** Sorted by sk. */
  query(
    pk: string,
    skPrefix: string,
    options?: { readonly descending?: boolean; readonly limit?: number },
  ): Promise<readonly TableRecord[]>;
  /** false: the condition did not hold and nothing was written. */
  put(record: TableRecord, condition: WriteCondition): Promise<boolean>;
  /** Unconditional writes of many immutable items; all of them are stored when it returns. */
  putMany(records: readonly TableRecord[]): Promise<void>;
  remove(keys: readonly RecordKey[]): Promise<void>;
  list(key: string, sortPrefix?: string): Promise<readonly RecordKey[]>;
  due(key: string, upTo: number, limit: number): Promise<readonly RecordKey[]>;
}
