import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const REPOSITORY = path.join(import.meta.dirname, '..');

interface Finding {
  readonly code: string;
  readonly filename: string;
}

/** Lints files that exist only here, at the places where the rules of the rooms apply to them. */
async function lint(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-lint-'));
  try {
    await copyFile(path.join(REPOSITORY, '.oxlintrc.json'), path.join(directory, '.oxlintrc.json'));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
      await writeFile(path.join(directory, name), content);
    }
    const output = await new Promise<string>((resolve) => {
      const oxlint = path.join(REPOSITORY, 'node_modules/oxlint/bin/oxlint');
      // It ends with 1 when it finds something, which is the point here.
      execFile(process.execPath, [oxlint, '--format', 'json'], { cwd: directory }, (_error, stdout) =>
        resolve(stdout),
      );
    });
    const { diagnostics } = JSON.parse(output) as { readonly diagnostics: readonly Finding[] };
    return diagnostics.map(({ code, filename }) => `${filename}: ${code}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const importing = (specifier: string): string =>
  `import { thing } from '${specifier}';\nexport const other = thing;\n`;
const importingType = (specifier: string): string =>
  `import type { Thing } from '${specifier}';\nexport type Other = Thing;\n`;

describe('the directions between rooms', () => {
  it.each([
    ['lib/model/probe.ts', '../plan/judge.ts'],
    ['lib/model/probe.ts', 'zod'],
    ['lib/model/probe.ts', 'node:fs'],
    ['lib/plan/probe.ts', 'node:fs/promises'],
    ['lib/plan/probe.ts', '../cluster/connect-kube.ts'],
    ['lib/definitions/holdfast/probe.ts', '../../source/file-tree.ts'],
    ['lib/webhook/probe.ts', 'node:child_process'],
    ['lib/drift/probe.ts', '@aws-sdk/client-dynamodb'],
    ['lib/reconcile/probe.ts', '../local/loopback.ts'],
    ['lib/reconcile/probe.ts', '../cli/main.ts'],
    ['lib/reconcile/probe.ts', '../compose/aws.ts'],
    ['lib/reconcile/probe.ts', '../../functions/webhook/handler.ts'],
    ['lib/reconcile/probe.ts', '../state/table.ts'],
    ['lib/reconcile/probe.ts', '../source/git-host.ts'],
    ['lib/reconcile/probe.ts', '../charts/create-chart-host.ts'],
    ['lib/apply/probe.ts', '../cluster/create-connector.ts'],
    ['lib/compose/probe.ts', '../local/loopback.ts'],
    ['lib/compose/webhook.ts', '../render/create-renderer.ts'],
    ['lib/local/probe.ts', '../cdk/stack.ts'],
    ['functions/webhook/probe.ts', '../reconcile/handler.ts'],
    ['functions/webhook/probe.ts', '../../lib/local/loopback.ts'],
    ['functions/webhook/probe.ts', 'undici'],
  ])('refuses that %s imports %s', async (file, specifier) => {
    const found = await lint({ [file]: importing(specifier) });

    expect(found).toEqual([`${file}: eslint(no-restricted-imports)`]);
  });

  it('lets rooms take what they are meant to take', async () => {
    const found = await lint({
      'lib/model/probe.ts': importing('node:crypto'),
      'lib/model/other.ts': importing('./probe.ts'),
      'lib/plan/probe.ts': importing('../model/ids.ts'),
      'lib/plan/types.ts': importingType('../apply/apply-report.ts'),
      'lib/definitions/holdfast/probe.ts': importing('../../model/ids.ts'),
      'lib/reconcile/probe.ts': importing('../cluster/observe.ts'),
      'lib/compose/probe.ts': importing('../state/table.ts'),
      'lib/local/probe.ts': importing('../compose/aws.ts'),
      'functions/webhook/probe.ts': importing('../../lib/compose/webhook.ts'),
    });

    expect(found).toEqual([]);
  });

  it('refuses a cycle of imports', async () => {
    const found = await lint({
      'lib/plan/one.ts': "import { two } from './two.ts';\nexport const one = () => two;\n",
      'lib/plan/two.ts': "import { one } from './one.ts';\nexport const two = () => one;\n",
    });

    expect(found.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'lib/plan/one.ts: import(no-cycle)',
      'lib/plan/two.ts: import(no-cycle)',
    ]);
  });
});
