import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { AccessKey } from '../../lib/local/access-key.ts';
import type { Emulators } from '../../lib/local/emulators.ts';
import { type Access, isAllowed, statementsOf } from './iam.ts';
import { type IamGate, startIamGate } from './iam-gate.ts';
import { type Assembly, type FunctionResource, toSpec } from './read-functions.ts';
import type { QueueTrigger, ScheduleTrigger } from './read-triggers.ts';
import { BOX_REGION, createResolver, type Resolve, resourcesOf, type Template } from './template.ts';
import { unpackZip } from './unpack-zip.ts';

export interface Stack {
  readonly assembly: Assembly;
  readonly stackName: string;
}

export type FunctionRole = 'webhook' | 'sourceStage' | 'targetStage' | 'driftScan';

export type ByRole = Readonly<Record<FunctionRole, FunctionResource>>;

export function rolesOf(
  resources: readonly FunctionResource[],
  queues: readonly QueueTrigger[],
  schedules: readonly ScheduleTrigger[],
  webhookId: string,
  resolve: Resolve,
): ByRole {
  const find = (logicalId: string | undefined, what: string): FunctionResource => {
    const found = resources.find((resource) => resource.logicalId === logicalId);
    if (found === undefined) throw new Error(`the template has no function ${what}`);
    return found;
  };
  const consumerOf = (variable: string): FunctionResource => {
    const environment = operatorEnvironment(resources, resolve);
    const trigger = queues.find(({ queueUrl }) => queueUrl === environment[variable]);
    return find(trigger?.functionId, `that reads ${variable}`);
  };
  const scan = schedules.find(({ event }) => (event as { readonly task?: string }).task === 'drift-scan');
  return {
    webhook: find(webhookId, 'behind the webhook route'),
    sourceStage: consumerOf('HOLDFAST_SOURCE_QUEUE_URL'),
    targetStage: consumerOf('HOLDFAST_TARGET_QUEUE_URL'),
    driftScan: find(scan?.functionId, 'for the drift scan'),
  };
}

export function roleOf(byRole: ByRole, logicalId: string): FunctionRole {
  const found = Object.entries(byRole).find(([, resource]) => resource.logicalId === logicalId);
  if (found === undefined) throw new Error(`nobody knows what function ${logicalId} is for`);
  return found[0] as FunctionRole;
}

/** The variables of all functions together: where an operator finds the installation. */
export function operatorEnvironment(
  resources: readonly FunctionResource[],
  resolve: Resolve,
): Readonly<Record<string, string>> {
  const specs = resources.map((resource) => toSpec(resource, resolve, { environment: {} }));
  return Object.assign({}, ...specs.map(({ environment }) => environment)) as Readonly<
    Record<string, string>
  >;
}

export async function openGate(
  emulators: Emulators,
  { assembly, stackName }: Stack,
  resource: FunctionResource,
  onDenied: (access: Access) => void,
): Promise<IamGate> {
  const { endpoints } = emulators;
  const resolve = createResolver(assembly.template, { stackName, endpoint: endpoints.sqs });
  return startIamGate({
    statements: statementsOf(assembly.template, resolve, resource.roleId),
    endpoints,
    onDenied,
  });
}

/** Lambda polls in the name of the function. @throws Error when its role does not let it */
export function mayConsume(
  { assembly, stackName }: Stack,
  resource: FunctionResource,
  queueArn: string,
): void {
  const resolve = createResolver(assembly.template, { stackName, endpoint: '' });
  const statements = statementsOf(assembly.template, resolve, resource.roleId);
  for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']) {
    if (!isAllowed(statements, { action, resource: queueArn })) {
      throw new Error(`${resource.logicalId} may not ${action} on ${queueArn}`);
    }
  }
}

/** @throws Error when the schedule's role does not let it call the function */
export function mayBeInvoked({ assembly }: Stack, schedule: ScheduleTrigger, resolve: Resolve): void {
  const statements = statementsOf(assembly.template, resolve, schedule.roleId);
  const resource = String(resolve({ 'Fn::GetAtt': [schedule.functionId, 'Arn'] }));
  if (!isAllowed(statements, { action: 'lambda:InvokeFunction', resource })) {
    throw new Error(`schedule ${schedule.scheduleId} may not invoke ${schedule.functionId}`);
  }
}

/** As Lambda hands the role's temporary credentials over; the emulators know the key, and ignore the token. */
export function credentials(accessKey: AccessKey): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: accessKey.accessKeyId,
    AWS_SECRET_ACCESS_KEY: accessKey.secretAccessKey,
    AWS_SESSION_TOKEN: randomBytes(200).toString('base64'),
    AWS_REGION: BOX_REGION,
    AWS_DEFAULT_REGION: BOX_REGION,
  };
}

/** Unpacks each set of layers once. */
export function layerCache(directory: string): (archives: readonly string[]) => Promise<string | undefined> {
  const unpacked = new Map<string, Promise<string>>();
  const unpack = async (archives: readonly string[]): Promise<string> => {
    const target = await newDirectory(directory, 'layers-');
    for (const archive of archives) await unpackZip(archive, target);
    return target;
  };
  return async (archives) => {
    if (archives.length === 0) return undefined;
    const key = archives.join('\n');
    const known = unpacked.get(key) ?? unpack(archives);
    unpacked.set(key, known);
    return known;
  };
}

export async function newDirectory(parent: string, prefix: string): Promise<string> {
  const created = await mkdtemp(join(parent, prefix));
  await chmod(created, 0o755);
  return created;
}

export function deadLetters(template: Template, resolve: Resolve): readonly string[] {
  return resourcesOf(template, 'AWS::SQS::Queue')
    .filter(([, { RedrivePolicy: redrive }]) => redrive === undefined)
    .map(([id]) => String(resolve({ Ref: id })));
}
