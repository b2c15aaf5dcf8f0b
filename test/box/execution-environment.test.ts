import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FunctionSpec } from './execution-environment.ts';
import { createFunctionPool, type FunctionPool } from './function-pool.ts';

describe('an execution environment', () => {
  let directory: string;
  let pool: FunctionPool | undefined;
  let lines: string[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-environment-'));
    chmodSync(directory, 0o755);
    lines = [];
  });
  afterEach(async () => {
    await pool?.close();
    pool = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  const aPool = (source: string, changes: Partial<FunctionSpec> = {}): FunctionPool => {
    const codeDirectory = join(directory, 'code');
    mkdirSync(codeDirectory, { recursive: true });
    writeFileSync(join(codeDirectory, 'index.mjs'), source);
    const spec: FunctionSpec = {
      name: 'probe',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:probe',
      handler: 'index.handler',
      codeDirectory,
      timeoutSeconds: 20,
      memoryMb: 256,
      temporaryMb: 64,
      environment: { HOLDFAST_TEST: 'yes' },
      ...changes,
    };
    pool = createFunctionPool(spec, { directory, maxConcurrency: 2, onLine: (line) => lines.push(line) });
    return pool;
  };

  it('calls the handler with the event and a context, in the same process again', async () => {
    const { invoke } = aPool(`let calls = 0;
      console.log('initialised');
      export const handler = async (event, context) => ({
        calls: ++calls, event, left: context.getRemainingTimeInMillis() > 1000, arn: context.invokedFunctionArn,
      });`);

    const first = await invoke({ a: 'ü' });
    const second = await invoke([]);

    const arn = 'arn:aws:lambda:us-east-1:000000000000:function:probe';
    expect(first).toEqual({ kind: 'returned', value: { calls: 1, event: { a: 'ü' }, left: true, arn } });
    expect(second).toEqual({ kind: 'returned', value: { calls: 2, event: [], left: true, arn } });
    expect(lines).toEqual([expect.stringMatching(/initialised$/)]);
  });

  it('runs as an unprivileged user, with the environment of Lambda and nothing of ours', async () => {
    const { invoke } = aPool(
      `export const handler = async () => ({ uid: process.getuid(), env: process.env });`,
    );

    const end = await invoke({});

    const { uid, env } = (end as { value: { uid: number; env: Record<string, string> } }).value;
    expect(uid).not.toBe(0);
    expect(env).toMatchObject({ HOLDFAST_TEST: 'yes', AWS_LAMBDA_FUNCTION_NAME: 'probe', TZ: ':UTC' });
    const allowed =
      /^(AWS_|LAMBDA_|HOLDFAST_TEST$|LANG$|PATH$|PWD$|SHLVL$|TZ$|TMPDIR$|_HANDLER$|_X_AMZN_TRACE_ID$|_$)/;
    expect(Object.keys(env).filter((name) => !allowed.test(name))).toEqual([]);
  });

  // Without root it runs as who tests it, to whom the code belongs.
  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('lets a function write to its temporary directory and nowhere else', async () => {
    const { invoke } = aPool(`import { writeFileSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      const write = (path) => { try { writeFileSync(path, 'x'); return 'written'; } catch (e) { return e.code; } };
      export const handler = async () => [
        write(tmpdir() + '/x'), write(process.env.LAMBDA_TASK_ROOT + '/x'), write('/x'), write('/opt/x'), write('/etc/x'),
        write('/usr/x'),
      ].map((result) => result === 'written');`);

    const end = await invoke({});

    expect(end).toEqual({ kind: 'returned', value: [true, false, false, false, false, false] });
  });

  it('reports what a handler throws, and calls it again', async () => {
    const { invoke } = aPool(`let calls = 0;
      export const handler = async () => { if (++calls === 1) throw new RangeError('out of it'); return calls; };`);

    const ends = [await invoke({}), await invoke({})];

    expect(ends).toEqual([
      { kind: 'failed', error: { errorType: 'RangeError', errorMessage: 'out of it' } },
      { kind: 'returned', value: 2 },
    ]);
  });

  it('ends a handler at its timeout and takes a fresh process for the next event', async () => {
    const { invoke } = aPool(
      `export const handler = async (event) => event.hang ? new Promise(() => setInterval(() => {}, 1000)) : process.pid;`,
      { timeoutSeconds: 1 },
    );

    const first = await invoke({});
    const hung = await invoke({ hang: true });
    const next = await invoke({});

    expect([first.kind, hung.kind, next.kind]).toEqual(['returned', 'timed-out', 'returned']);
    expect(next).not.toEqual(first);
  });

  it('reports a function that cannot start, that ends itself, or that is killed', async () => {
    const broken = await aPool(`import 'not-there';`).invoke({});
    await pool?.close();
    const exiting = await aPool(`export const handler = async () => process.exit(3);`).invoke({});
    await pool?.close();
    const slow = aPool(`export const handler = () => new Promise(() => setInterval(() => {}, 1000));`);
    const killed = slow.invoke({});
    while (slow.busy() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await slow.killBusy();

    expect(broken).toMatchObject({ kind: 'died', how: expect.stringContaining('does not start') });
    expect(exiting).toEqual({ kind: 'died', how: 'exit code 3' });
    expect(await killed).toEqual({ kind: 'died', how: 'SIGKILL' });
  });

  it('handles as many events at once as it may, and no more', async () => {
    const { invoke } = aPool(`export const handler = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return process.pid;
    };`);

    const ends = await Promise.all([invoke({}), invoke({}), invoke({}), invoke({})]);

    const pids = new Set(ends.map((end) => (end.kind === 'returned' ? end.value : end.kind)));
    expect(pids.size).toBe(2);
  });
});
