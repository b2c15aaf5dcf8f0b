import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RuntimeApi, type RuntimeOutcome, startRuntimeApi } from './runtime-api.ts';

/** A function as its template and its assets describe it, every reference resolved. */
export interface FunctionSpec {
  readonly name: string;
  readonly arn: string;
  /** `index.handler` */
  readonly handler: string;
  readonly codeDirectory: string;
  /** All layers, unpacked into one directory. */
  readonly layerDirectory?: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly temporaryMb: number;
  /** Its own variables, over those that Lambda sets. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface EnvironmentOptions {
  /** Belongs to this environment alone; what it leaves behind is in it. */
  readonly directory: string;
  /** Each line that the function writes, as CloudWatch Logs would take it. */
  readonly onLine?: (line: string) => void;
  /** Stops the process between two events, as Lambda freezes it. @default true */
  readonly freezes?: boolean;
  /**
   * A directory into which `aws-lambda-ric` was installed: AWS's own runtime client in place of ours.
   * @default HOLDFAST_TEST_LAMBDA_RIC
   */
  readonly runtimeClient?: string;
}

export type InvocationEnd =
  | RuntimeOutcome
  /** Lambda ends the process at the timeout. */
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'died'; readonly how: string };

export interface ExecutionEnvironment {
  readonly pid: number;
  readonly isAlive: () => boolean;
  invoke(event: unknown): Promise<InvocationEnd>;
  /** SIGKILL, at whatever it is doing. */
  kill(): Promise<void>;
}

const NOBODY = 65_534;
/** Lambda allows 10; here many processes may share two processors. */
const INIT_SECONDS = 60;
const BOOTSTRAP = 'bootstrap.ts';
const HERE = dirname(fileURLToPath(import.meta.url));

let namespaces: boolean | undefined;

/** Whether functions get a file system of their own. Without it they are processes of an unprivileged user. */
export function hasMountNamespaces(): boolean {
  namespaces ??=
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
      .status === 0;
  return namespaces;
}

/** A fresh process in which a function is initialised and then called, one event after the other. */
export async function startEnvironment(
  spec: FunctionSpec,
  options: EnvironmentOptions,
): Promise<ExecutionEnvironment> {
  let child: ChildProcess | undefined;
  const freezes = options.freezes ?? true;
  const api = await startRuntimeApi({
    functionArn: spec.arn,
    onIdle: () => freezes && child?.kill('SIGSTOP'),
    onWake: () => freezes && child?.kill('SIGCONT'),
  });
  child = launch(spec, options, api);
  const running = child;
  let ending: string | undefined;
  const ended = once(running, 'close').then(([code, signal]: unknown[]) => {
    ending = signal === null ? `exit code ${String(code)}` : String(signal);
    return ending;
  });
  eachLine(running, options.onLine ?? (() => undefined));
  const kill = async (): Promise<void> => {
    // A stopped process takes SIGKILL too.
    running.kill('SIGKILL');
    await ended;
    await api.close();
  };
  const timedOut = async (): Promise<InvocationEnd> => {
    await kill();
    return { kind: 'timed-out' };
  };
  void ended.then(() => api.close());
  return {
    pid: running.pid ?? 0,
    isAlive: () => ending === undefined,
    async invoke(event) {
      const death = ended.then((how): InvocationEnd => ({ kind: 'died', how }));
      const failedStart = (error: unknown): InvocationEnd => ({ kind: 'died', how: String(error) });
      // Initialisation has a time of its own and does not count against the function's.
      const start = await within(
        INIT_SECONDS,
        Promise.race([api.initialised.then(() => 'started' as const, failedStart), death]),
      );
      if (start !== 'started') return start.kind === 'timed-out' ? await timedOut() : start;
      const deadlineMs = Date.now() + spec.timeoutSeconds * 1000;
      const end = await within(spec.timeoutSeconds, Promise.race([api.invoke(event, deadlineMs), death]));
      return end.kind === 'timed-out' ? await timedOut() : end;
    },
    kill,
  };
}

async function within<T>(seconds: number, work: Promise<T>): Promise<T | { readonly kind: 'timed-out' }> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<{ readonly kind: 'timed-out' }>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timed-out' }), seconds * 1000);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function launch(spec: FunctionSpec, options: EnvironmentOptions, api: RuntimeApi): ChildProcess {
  const runtimeClient = options.runtimeClient ?? process.env['HOLDFAST_TEST_LAMBDA_RIC'];
  const runtime = runtimeDirectory(options.directory);
  return hasMountNamespaces()
    ? launchIsolated(spec, options.directory, { runtime, runtimeClient }, api)
    : launchPlain(spec, options.directory, { runtime, runtimeClient }, api);
}

interface Runtime {
  readonly runtime: string;
  readonly runtimeClient: string | undefined;
}

function launchIsolated(
  spec: FunctionSpec,
  directory: string,
  { runtime, runtimeClient }: Runtime,
  api: RuntimeApi,
): ChildProcess {
  const root = mkdtempSync(join(directory, 'root-'));
  const empty = join(directory, 'empty');
  mkdirSync(empty, { recursive: true });
  const argv = ['--mount', '--propagation', 'private', '/bin/sh', join(HERE, 'enter-sandbox.sh')];
  argv.push(root, spec.codeDirectory, spec.layerDirectory ?? empty, process.execPath);
  argv.push(runtimeClient ?? runtime, String(spec.temporaryMb));
  argv.push(...nodeArguments(spec, '/var/runtime', runtimeClient !== undefined));
  const env = environmentOf(spec, api, '/var/task');
  return spawn('/usr/bin/unshare', argv, { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
}

/** The same user and environment, but in our own file system: the layer stays where it was unpacked. */
function launchPlain(
  spec: FunctionSpec,
  directory: string,
  { runtime, runtimeClient }: Runtime,
  api: RuntimeApi,
): ChildProcess {
  const temporary = join(directory, 'tmp');
  mkdirSync(temporary, { recursive: true, mode: 0o777 });
  const environment = environmentOf(spec, api, spec.codeDirectory);
  const isRoot = process.getuid?.() === 0;
  const layer = spec.layerDirectory;
  return spawn(process.execPath, nodeArguments(spec, runtimeClient ?? runtime, runtimeClient !== undefined), {
    env: {
      ...environment,
      TMPDIR: temporary,
      ...(layer === undefined ? {} : { HOLDFAST_TOOLS_DIRECTORY: layer }),
    },
    cwd: spec.codeDirectory,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
}

/** The runtime alone in a directory, so that nothing of the repository comes with it. */
function runtimeDirectory(directory: string): string {
  const runtime = join(directory, 'runtime');
  mkdirSync(runtime, { recursive: true });
  cpSync(join(HERE, BOOTSTRAP), join(runtime, BOOTSTRAP));
  return runtime;
}

function nodeArguments(spec: FunctionSpec, runtime: string, isRuntimeClient: boolean): readonly string[] {
  return [
    // Lambda leaves Node the memory of the function less what the process needs beside its heap.
    `--max-old-space-size=${Math.floor(spec.memoryMb * 0.9)}`,
    ...(isRuntimeClient
      ? [`${runtime}/node_modules/aws-lambda-ric/index.mjs`, spec.handler]
      : [`${runtime}/${BOOTSTRAP}`]),
  ];
}

/** What Lambda sets, and nothing of ours. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
function environmentOf(spec: FunctionSpec, api: RuntimeApi, taskRoot: string): Record<string, string> {
  return {
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/11/22/[$LATEST]box',
    AWS_LAMBDA_RUNTIME_API: api.address,
    LAMBDA_RUNTIME_DIR: '/var/runtime',
    LAMBDA_TASK_ROOT: taskRoot,
    LANG: 'en_US.UTF-8',
    PATH: '/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin',
    TZ: ':UTC',
    _HANDLER: spec.handler,
    ...spec.environment,
  };
}

function eachLine(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    stream?.on('end', () => {
      if (rest !== '') onLine(rest);
    });
  }
}
