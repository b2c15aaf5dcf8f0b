import type { RecordTable, TableRecord } from '../../lib/state/record-table.ts';

const record = (fields: Partial<TableRecord>): TableRecord => ({
  pk: 'p',
  sk: 's',
  version: 1,
  body: '{}',
  ...fields,
});

/** What every adapter of the table must do; run against each. */
export function recordTableContract(name: string, open: () => Promise<RecordTable>): void {
  describe(`record table: ${name}`, () => {
    let table: RecordTable;
    beforeEach(async () => {
      table = await open();
    });

    it('gives back what was put, bytes and index keys included', async () => {
      const stored = record({
        body: '{"a":1}',
        bytes: new Uint8Array([0, 255, 1]),
        list: { key: 'L', sort: 'x' },
        due: { key: 'D', at: 7 },
        expiresAt: 99,
      });

      await table.put(stored, 'always');

      const read = await table.get({ pk: 'p', sk: 's' });
      expect({ ...read, bytes: [...(read?.bytes ?? [])] }).toEqual({ ...stored, bytes: [0, 255, 1] });
    });

    it('refuses a second creation', async () => {
      expect(await table.put(record({ body: '1' }), 'absent')).toBe(true);

      expect(await table.put(record({ body: '2' }), 'absent')).toBe(false);

      expect((await table.get({ pk: 'p', sk: 's' }))?.body).toBe('1');
    });

    it('refuses a write over a version that has moved on', async () => {
      await table.put(record({ version: 1 }), 'absent');
      expect(await table.put(record({ version: 2, body: 'first' }), { version: 1 })).toBe(true);

      expect(await table.put(record({ version: 2, body: 'second' }), { version: 1 })).toBe(false);

      expect((await table.get({ pk: 'p', sk: 's' }))?.body).toBe('first');
    });

    it('refuses a conditional write to what does not exist', async () => {
      expect(await table.put(record({ version: 2 }), { version: 1 })).toBe(false);
    });

    it('lets exactly one of twenty racing writers win', async () => {
      await table.put(record({ version: 1 }), 'absent');

      const wins = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          table.put(record({ version: 2, body: String(n) }), { version: 1 }),
        ),
      );

      expect(wins.filter(Boolean)).toHaveLength(1);
    });

    it('queries one partition by prefix, in either direction, limited', async () => {
      await table.putMany(['A#2', 'A#1', 'B#1', 'A#3'].map((sk) => record({ sk })));
      await table.putMany([record({ pk: 'other', sk: 'A#9' })]);

      const up = await table.query('p', 'A#');
      const down = await table.query('p', 'A#', { descending: true, limit: 2 });

      expect(up.map(({ sk }) => sk)).toEqual(['A#1', 'A#2', 'A#3']);
      expect(down.map(({ sk }) => sk)).toEqual(['A#3', 'A#2']);
    });

    it('stores, reads and removes more than a batch holds', async () => {
      const many = Array.from({ length: 130 }, (_, n) => record({ sk: `N#${String(n).padStart(3, '0')}` }));
      await table.putMany(many);

      const read = await table.getMany([...many, { pk: 'p', sk: 'absent' }]);
      await table.remove(many.slice(0, 100));

      expect(read).toHaveLength(130);
      expect(await table.query('p', 'N#')).toHaveLength(30);
    });

    it('lists by key and prefix, and what is due by time', async () => {
      await table.put(
        record({ sk: '1', list: { key: 'L', sort: 'a/1' }, due: { key: 'D', at: 5 } }),
        'always',
      );
      await table.put(
        record({ sk: '2', list: { key: 'L', sort: 'b/1' }, due: { key: 'D', at: 9 } }),
        'always',
      );
      await table.put(record({ sk: '3' }), 'always');

      expect(await table.list('L')).toEqual([
        { pk: 'p', sk: '1' },
        { pk: 'p', sk: '2' },
      ]);
      expect(await table.list('L', 'b/')).toEqual([{ pk: 'p', sk: '2' }]);
      expect(await table.due('D', 5, 10)).toEqual([{ pk: 'p', sk: '1' }]);
      expect(await table.due('D', 100, 1)).toHaveLength(1);
    });

    it('drops an item out of the due index when it is written without a time', async () => {
      await table.put(record({ due: { key: 'D', at: 5 } }), 'always');

      await table.put(record({ version: 2 }), { version: 1 });

      expect(await table.due('D', 100, 10)).toEqual([]);
    });
  });
}
