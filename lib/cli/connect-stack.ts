import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { createAwsClients, destroyAwsClients } from '../compose/aws.ts';
import type { InstallationNames } from '../compose/names.ts';
import { composeReconcile } from '../compose/reconcile.ts';
import { createSecretsManagerStore } from '../secrets/secrets-manager-store.ts';
import { HoldfastError } from '../model/errors.ts';
import { silentLog } from '../model/log.ts';
import type { Installation } from './cli.ts';
import { readText } from './secret-input.ts';

/** What the stack says about itself; the names of its outputs, each behind the construct's path. */
const OUTPUTS = {
  installation: 'Installation',
  table: 'Table',
  sourceQueueUrl: 'SourceQueueUrl',
  targetQueueUrl: 'TargetQueueUrl',
  bucket: 'Bucket',
  secretPrefix: 'SecretPrefix',
  webhookUrl: 'WebhookUrl',
} as const;

export type StackNames = InstallationNames & {
  /** Webhooks go to `<webhookUrl>/<source id>`. */
  readonly webhookUrl: string;
};

const MAX_BYTES = 1024 * 1024;
const FILE = z.record(z.string(), z.record(z.string(), z.string()));

/**
 * Opens an installation in AWS by the file that `cdk deploy --outputs-file` wrote, with the credentials of this shell.
 * @throws HoldfastError `invalid-input`
 */
export async function connectStack(file: string): Promise<Installation> {
  const names = readStackOutputs(await readText('--stack-outputs', file, MAX_BYTES));
  const region = regionOf(names.sourceQueueUrl);
  // The stack's region, whatever this shell's is.
  if (region !== undefined) process.env['AWS_REGION'] = region;
  const clients = createAwsClients();
  const cache = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  const close = async (): Promise<void> => {
    destroyAwsClients(clients);
    rmSync(cache, { recursive: true, force: true });
  };
  try {
    const deps = await composeReconcile({ clients, names, log: silentLog, temporaryDirectory: cache });
    return {
      directory: file,
      installation: names.installation,
      webhookUrl: names.webhookUrl,
      deps,
      secrets: createSecretsManagerStore({
        secretsManager: clients.secretsManager,
        prefix: names.secretPrefix,
      }),
      aws: { clients, names },
      async close() {
        await deps.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The names of the one installation whose outputs the file holds.
 * @throws HoldfastError `invalid-input` naming what is missing, or the stacks when there are several
 */
export function readStackOutputs(text: string): StackNames {
  const stacks = parseFile(text);
  const found = Object.entries(stacks)
    .map(([stack, outputs]) => ({ stack, outputs, names: pick(outputs) }))
    .filter(({ names }) => names.table !== undefined && names.secretPrefix !== undefined);
  const [only] = found;
  if (only === undefined) {
    throw refusal(
      `holds no outputs of a Holdfast stack (${Object.values(OUTPUTS).join(', ')}): write it with "cdk deploy --outputs-file"`,
    );
  }
  if (found.length > 1) {
    const names = found.map(({ stack }) => stack).join(', ');
    throw refusal(`holds several installations (${names}): keep one of them`);
  }
  const missing = Object.entries(OUTPUTS).flatMap(([name, output]) =>
    only.names[name as keyof typeof OUTPUTS] === undefined ? [output] : [],
  );
  if (missing.length > 0) {
    throw refusal(`stack ${only.stack} has no output ${missing.join(', ')}: deploy it with this version`);
  }
  return only.names as StackNames;
}

function parseFile(text: string): z.infer<typeof FILE> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw refusal('is not JSON: write it with "cdk deploy --outputs-file"');
  }
  const parsed = z.safeParse(FILE, document);
  if (!parsed.success) {
    throw refusal('is not a mapping of stacks to their outputs: write it with "cdk deploy --outputs-file"');
  }
  return parsed.data;
}

function pick(outputs: Readonly<Record<string, string>>): Partial<StackNames> {
  const picked: Record<string, string> = {};
  for (const [name, output] of Object.entries(OUTPUTS)) {
    const value = outputs[output] ?? onlyOne(outputs, output);
    if (value !== undefined) picked[name] = value;
  }
  return picked;
}

/** CDK names an output of an inner construct `<path><name><8 hex digits>`. */
function onlyOne(outputs: Readonly<Record<string, string>>, output: string): string | undefined {
  const name = new RegExp(`^[A-Za-z0-9]*${output}[0-9A-F]{8}$`);
  const values = Object.entries(outputs).flatMap(([key, value]) => (name.test(key) ? [value] : []));
  return values.length === 1 ? values[0] : undefined;
}

function regionOf(queueUrl: string): string | undefined {
  return /^https:\/\/sqs\.([a-z0-9-]+)\./.exec(queueUrl)?.[1];
}

function refusal(problem: string): HoldfastError {
  return new HoldfastError('invalid-input', `--stack-outputs: the file ${problem}`);
}
