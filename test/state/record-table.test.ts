import { recordTableContract } from '../contracts/record-table.ts';
import { startDynalite } from '../support/dynalite-table.ts';
import { memoryTable } from '../support/memory-table.ts';

let dynalite: Awaited<ReturnType<typeof startDynalite>>;
beforeAll(async () => {
  dynalite = await startDynalite();
});
afterAll(() => dynalite.close());

recordTableContract('in memory', async () => memoryTable());
recordTableContract('DynamoDB', () => dynalite.newTable());
