import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type FunctionRole,
  type Stack,
  credentials,
  deadLetters,
  layerCache,
  mayBeInvoked,
  mayConsume,
  newDirectory,
  openGate,
  operatorEnvironment,
  roleOf,
  rolesOf,
} from './box-parts.ts';
import { namesFromEnvironment, type InstallationNames } from '../../lib/compose/names.ts';
import type { AwsClients } from '../../lib/compose/aws.ts';
import { createAccessKey } from '../../lib/local/access-key.ts';
import { startEmulators } from '../../lib/local/emulators.ts';
import { type EventSource, startEventSource } from '../../lib/local/event-source.ts';
import { type HttpApi, startHttpApi } from '../../lib/local/http-api.ts';
import { type Schedule, startSchedule } from '../../lib/local/schedule.ts';
import { type Log, silentLog } from '../../lib/model/log.ts';
import { createFunctionPool, type FunctionPool } from './function-pool.ts';
import type { Access } from './iam.ts';
import { provision } from './provision.ts';
import { readFunctions, toSpec } from './read-functions.ts';
import { readQueueTriggers, readRoute, readScheduleTriggers, type ScheduleTrigger } from './read-triggers.ts';
import { createResolver } from './template.ts';

export interface BoxOptions extends Stack {
  /** Everything of the box is below it. */
  readonly directory: string;
  /** Variables laid over every function's own: shorter times. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly visibilityTimeoutSeconds?: number;
  readonly log?: Log;
}

export interface BoxFunction extends FunctionPool {
  /** What the function asked of AWS, by action. */
  readonly calls: ReadonlyMap<string, number>;
}

/** A synthesized stack that runs on this machine: its functions in processes, its services emulated. */
export interface Box {
  readonly functions: Readonly<Record<FunctionRole, BoxFunction>>;
  readonly httpUrl: string;
  /** An operator's, past every policy. */
  readonly clients: AwsClients;
  readonly names: InstallationNames;
  readonly deadLetterUrls: readonly string[];
  /** What a function asked for and its role does not allow. */
  readonly denied: readonly { readonly role: FunctionRole; readonly access: Access }[];
  /** What the functions wrote to their logs. */
  readonly lines: readonly string[];
  /** Calls a function as its schedule does, with the schedule's own event. */
  fire(schedule: 'sweep' | 'drift-scan'): Promise<void>;
  /** Lets the schedules fire by themselves, faster than the template says. */
  startSchedules(everySeconds: Readonly<Record<'sweep' | 'drift-scan', number>>): void;
  close(): Promise<void>;
}

const ROUTE = 'POST /hooks/{sourceId}';
const VARIABLES = [
  'installation',
  'table',
  'sourceQueueUrl',
  'targetQueueUrl',
  'bucket',
  'secretPrefix',
] as const;

/** Deploys a cloud assembly into the emulators and starts what calls its functions. */
export async function openBox(options: BoxOptions): Promise<Box> {
  const { assembly, directory, log = silentLog } = options;
  const { template } = assembly;
  const closing: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    // The functions run as another user.
    await chmod(directory, 0o755);
    const accessKey = createAccessKey();
    const emulators = await startEmulators({ directory: join(directory, 'aws'), accessKey, log });
    closing.push(() => emulators.close());
    const resolverAt = (endpoint: string) =>
      createResolver(template, { stackName: options.stackName, endpoint });
    const resolve = resolverAt(emulators.endpoints.sqs);
    const clients = emulators.clients();
    await provision(clients, template, resolve, options);

    const resources = readFunctions(assembly);
    const queues = readQueueTriggers(template, resolve);
    const schedules = readScheduleTriggers(template);
    const byRole = rolesOf(resources, queues, schedules, readRoute(template, ROUTE), resolve);
    const lines: string[] = [];
    const denied: { role: FunctionRole; access: Access }[] = [];
    const layers = layerCache(directory);

    const start = async (role: FunctionRole): Promise<BoxFunction> => {
      const resource = byRole[role];
      const gate = await openGate(emulators, options, resource, (access) => denied.push({ role, access }));
      closing.push(() => gate.close());
      const layerDirectory = await layers(resource.layerArchives);
      const spec = toSpec(resource, resolverAt(gate.endpoint), {
        ...(layerDirectory === undefined ? {} : { layerDirectory }),
        environment: {
          ...credentials(accessKey),
          // The one thing that no Lambda has: where to find AWS.
          AWS_ENDPOINT_URL: gate.endpoint,
          ...options.environment,
        },
      });
      const pool = createFunctionPool(spec, {
        directory: await newDirectory(directory, 'environments-'),
        ...(resource.reservedConcurrency === undefined
          ? {}
          : { maxConcurrency: resource.reservedConcurrency }),
        onLine: (line) => {
          lines.push(line);
          log.info('function wrote', { role, line });
        },
      });
      closing.push(() => pool.close());
      return { ...pool, calls: gate.counts };
    };
    const functions = {
      webhook: await start('webhook'),
      sourceStage: await start('sourceStage'),
      targetStage: await start('targetStage'),
      driftScan: await start('driftScan'),
    };
    const httpApi = await openHttpApi(functions.webhook, log);
    closing.push(() => httpApi.close());
    const sources = queues.map((trigger): EventSource => {
      const role = roleOf(byRole, trigger.functionId);
      mayConsume(options, byRole[role], trigger.queueArn);
      return startEventSource({
        sqs: clients.sqs,
        queueUrl: trigger.queueUrl,
        function: functions[role].asFunction,
        batchSize: trigger.batchSize,
        waitSeconds: 1,
        ...(trigger.maxConcurrency === undefined ? {} : { maxConcurrency: trigger.maxConcurrency }),
        log,
      });
    });
    closing.push(async () => {
      // A source waits for what is in flight, which nothing else would end.
      const stopping = sources.map((source) => source.stop());
      await Promise.all(Object.values(functions).map((pool) => pool.killBusy()));
      await Promise.all(stopping);
    });
    const scheduleOf = (task: string): ScheduleTrigger => {
      const found = schedules.find(({ event }) => (event as { readonly task?: string }).task === task);
      if (found === undefined) throw new Error(`the template has no schedule for "${task}"`);
      mayBeInvoked(options, found, resolve);
      return found;
    };
    const poolOf = ({ functionId }: ScheduleTrigger): BoxFunction => functions[roleOf(byRole, functionId)];
    return {
      functions,
      httpUrl: httpApi.url,
      clients,
      names: namesFromEnvironment(operatorEnvironment(resources, resolve), VARIABLES),
      deadLetterUrls: deadLetters(template, resolve),
      denied,
      lines,
      async fire(task) {
        const schedule = scheduleOf(task);
        await poolOf(schedule).asFunction.handler(schedule.event, undefined as never);
      },
      startSchedules(everySeconds) {
        const started = (['sweep', 'drift-scan'] as const).map((task): Schedule => {
          const schedule = scheduleOf(task);
          const { asFunction } = poolOf(schedule);
          return startSchedule({
            function: asFunction,
            event: schedule.event,
            everySeconds: everySeconds[task],
            log,
          });
        });
        closing.push(async () => {
          await Promise.all(started.map((each) => each.stop()));
        });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openHttpApi(webhook: FunctionPool, log: Log): Promise<HttpApi> {
  return startHttpApi({ webhook: webhook.asFunction, log });
}
