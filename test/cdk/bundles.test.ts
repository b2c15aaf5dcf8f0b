import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type BuiltFunction, buildFunctions } from '../../scripts/build-functions.ts';

const MEGABYTE = 1024 * 1024;
const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-bundles-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the bundles of the functions', () => {
  const built = new Map<string, BuiltFunction>();
  beforeAll(async () => {
    for (const bundle of await buildFunctions({ directory })) built.set(bundle.name, bundle);
  });
  const fileOf = (name: string) => built.get(name)?.file ?? '';
  const sourcesOf = (name: string) =>
    (JSON.parse(readFileSync(`${fileOf(name)}.map`, 'utf8')) as { readonly sources: readonly string[] })
      .sources;

  it.each([
    ['webhook', 0.8],
    ['reconcile', 3],
    ['drift-scan', 3],
  ])('%s is at most %d MB', (name, megabytes) => {
    expect((built.get(name)?.bytes ?? Infinity) / MEGABYTE).toBeLessThanOrEqual(megabytes);
  });

  it.each([
    [
      'webhook',
      /isomorphic-git|@kubernetes\/client-node|\/undici\/|client-s3|lib\/(render|source|cluster|apply)\//,
    ],
    ['drift-scan', /isomorphic-git|client-s3|lib\/(render|source)\//],
  ])('%s carries nothing that it does not need', (name, unneeded) => {
    expect(sourcesOf(name).filter((source) => unneeded.test(source))).toEqual([]);
  });

  it.each(['reconcile', 'drift-scan', 'webhook'])(
    '%s carries no code of tests, local mode or deployment',
    (name) => {
      expect(
        sourcesOf(name).filter((source) => /aws-cdk-lib|dynalite|fauxqs|lib\/(local|cli|cdk)\//.test(source)),
      ).toEqual([]);
    },
  );

  it.each(['webhook', 'reconcile', 'drift-scan'])(
    '%s is an ES module with a handler, and starts without an environment',
    async (name) => {
      const script = `const { handler } = await import(${JSON.stringify(fileOf(name))}); console.log(typeof handler);`;

      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', script],
        {
          env: {},
          cwd: directory,
        },
      );

      expect(stdout.trim()).toBe('function');
    },
  );

  it('come out the same wherever they are built, so that nothing is deployed anew without a change', async () => {
    const elsewhere = mkdtempSync(path.join(tmpdir(), 'holdfast-bundles-'));
    try {
      const [again] = await buildFunctions({ directory: elsewhere, only: ['webhook'] });

      expect(readFileSync(again?.file ?? '').equals(readFileSync(fileOf('webhook')))).toBe(true);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });
});
