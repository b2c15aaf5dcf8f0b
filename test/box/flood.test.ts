import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flood, type FloodTarget, startFloodTarget } from './flood.ts';

describe('a flood of unsigned requests', () => {
  let directory: string;
  let target: FloodTarget;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-flood-'));
    target = await startFloodTarget(directory);
  });
  afterEach(async () => {
    await target.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it('costs no secret look-up and no message, while signed pushes get through', async () => {
    const { url, hookUrl, secret } = target;
    const quiet = { url, hookUrl, secret, connections: 16 };

    const unsigned = await flood({ ...quiet, requests: 500, signedEvery: Infinity });
    const lookupsBefore = target.secretLookups();
    const messagesBefore = await target.messages();
    const mixed = await flood({ ...quiet, requests: 500, signedEvery: 50 });

    expect(unsigned.statuses).toEqual({ 401: 500 });
    expect([lookupsBefore, messagesBefore]).toEqual([0, 0]);
    expect(mixed.statuses).toEqual({ 401: 500 });
    expect(mixed.signedStatuses).toEqual(Array.from({ length: 10 }, () => 202));
    expect([target.secretLookups(), await target.messages()]).toEqual([1, 10]);
  }, 60_000);
});
