import { readFileSync } from 'node:fs';
import { readContext } from '../../lib/cdk/read-context.ts';

const page = readFileSync(new URL('../../docs/aws.md', import.meta.url), 'utf8');

describe('the page about AWS', () => {
  it('documents every context entry that the app knows, and no other', () => {
    const documented = new Set(page.match(/`holdfast:\w+`/g)?.map((entry) => entry.slice(1, -1)));
    let known: readonly string[] = [];
    try {
      readContext({ 'holdfast:unheardOf': 'x' });
    } catch (error) {
      known =
        (error as Error).message.match(/holdfast:\w+/g)?.filter((name) => !name.endsWith('unheardOf')) ?? [];
    }

    expect(known.length).toBeGreaterThan(5);
    expect([...documented].sort()).toEqual([...new Set(known)].sort());
  });
});
