import type { RecordKey, RecordTable, TableRecord } from '../../lib/state/record-table.ts';

/** The table's contract in memory. `onCall` may throw, to stand for a crash or a lost connection. */
export function memoryTable(onCall: (operation: string) => void = () => {}): RecordTable & {
  readonly records: ReadonlyMap<string, TableRecord>;
} {
  const records = new Map<string, TableRecord>();
  const idOf = (key: RecordKey) => `${key.pk}\u0000${key.sk}`;
  const sorted = () => [...records.values()].sort((a, b) => (a.sk < b.sk ? -1 : a.sk > b.sk ? 1 : 0));
  const keyOf = ({ pk, sk }: TableRecord): RecordKey => ({ pk, sk });
  return {
    records,
    async get(key) {
      onCall('get');
      return records.get(idOf(key));
    },
    async getMany(keys) {
      onCall('getMany');
      return keys.flatMap((key) => records.get(idOf(key)) ?? []);
    },
    async query(pk, skPrefix, options = {}) {
      onCall('query');
      const found = sorted().filter((record) => record.pk === pk && record.sk.startsWith(skPrefix));
      if (options.descending) found.reverse();
      return found.slice(0, options.limit ?? found.length);
    },
    async put(record, condition) {
      onCall('put');
      const current = records.get(idOf(record));
      if (condition === 'absent' && current !== undefined) return false;
      if (typeof condition === 'object' && current?.version !== condition.version) return false;
      records.set(idOf(record), structuredClone(record));
      return true;
    },
    async putMany(many) {
      onCall('putMany');
      for (const record of many) records.set(idOf(record), structuredClone(record));
    },
    async remove(keys) {
      onCall('remove');
      for (const key of keys) records.delete(idOf(key));
    },
    async list(key, sortPrefix = '') {
      onCall('list');
      return [...records.values()]
        .filter((record) => record.list?.key === key && record.list.sort.startsWith(sortPrefix))
        .sort((a, b) => ((a.list?.sort ?? '') < (b.list?.sort ?? '') ? -1 : 1))
        .map(keyOf);
    },
    async due(key, upTo, limit) {
      onCall('due');
      return [...records.values()]
        .filter((record) => record.due?.key === key && record.due.at <= upTo)
        .sort((a, b) => (a.due?.at ?? 0) - (b.due?.at ?? 0))
        .slice(0, limit)
        .map(keyOf);
    },
  };
}
