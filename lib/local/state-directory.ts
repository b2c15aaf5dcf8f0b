import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { InstallationNames } from '../compose/names.ts';
import { HoldfastError } from '../model/errors.ts';
import { type AccessKey, createAccessKey } from './access-key.ts';
import { readFileIfPresent, writeFileAtomically } from './atomic-file.ts';
import { acquireLock } from './directory-lock.ts';
import type { EmulatorEndpoints, EmulatorPorts } from './emulators.ts';

/** Where a local installation was reached when it last ran; the next start uses the same ports. */
export interface LocalServices {
  readonly ports: EmulatorPorts & { readonly httpApi: number };
  readonly endpoints: EmulatorEndpoints;
  /** Webhooks go to `<httpApiUrl>/hooks/<source id>`. */
  readonly httpApiUrl: string;
  readonly names: InstallationNames;
  /** Ports of further servers of the local mode, by name: the sandbox cluster, the sample repository. */
  readonly extraPorts?: Readonly<Record<string, number>>;
}

/** What `installation.json` holds: all that the command line needs to find a local installation. */
export interface LocalInstallation {
  readonly schema: 1;
  /** The name that is part of every ApplicationId. */
  readonly installation: string;
  readonly accessKey: AccessKey;
  /** Absent until it first ran. */
  readonly services?: LocalServices;
}

export interface StateDirectory {
  readonly path: string;
  /** As found, or new. */
  readonly installation: LocalInstallation;
  /** Replaces installation.json. */
  saveServices(services: LocalServices): Promise<LocalInstallation>;
  release(): void;
}

const FILE = 'installation.json';
const LOCK = 'lock';
const PID = 'pid';

const port = z.number().check(z.int(), z.gte(1), z.lte(65_535));
const text = z.string().check(z.minLength(1));
const installationSchema = z.strictObject({
  schema: z.literal(1),
  installation: text,
  accessKey: z.strictObject({ accessKeyId: text, secretAccessKey: text }),
  services: z.exactOptional(
    z.strictObject({
      ports: z.strictObject({ dynamodb: port, sqsAndS3: port, secretsManager: port, httpApi: port }),
      endpoints: z.strictObject({ dynamodb: text, sqs: text, s3: text, secretsManager: text }),
      httpApiUrl: text,
      names: z.strictObject({
        installation: text,
        table: text,
        sourceQueueUrl: text,
        targetQueueUrl: text,
        bucket: text,
        secretPrefix: text,
      }),
      extraPorts: z.exactOptional(z.record(z.string(), port)),
    }),
  ),
});

/**
 * Takes the directory of a local installation for this process; creates what is missing.
 * @throws HoldfastError `invalid-input` when others may enter the directory, when another process has it, or when
 *   installation.json is damaged
 */
export async function openStateDirectory(path: string, installation = 'local'): Promise<StateDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await refuseForeignAccess(path);
  const lock = acquireLock(join(path, LOCK));
  if (lock === undefined) {
    throw new HoldfastError(
      'invalid-input',
      `holdfast local already runs in ${path}${await holder(path)}: stop it, or choose another directory`,
    );
  }
  try {
    await removeLeftovers(path);
    await writeFileAtomically(join(path, PID), String(process.pid));
    const found = await readFileIfPresent(join(path, FILE));
    let current: LocalInstallation =
      found === undefined
        ? { schema: 1, installation, accessKey: createAccessKey() }
        : parseInstallation(path, found);
    const save = () => writeFileAtomically(join(path, FILE), `${JSON.stringify(current, undefined, 2)}\n`);
    await save();
    return {
      path,
      installation: current,
      async saveServices(services) {
        current = { ...current, services };
        await save();
        return current;
      },
      release: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * For the command line: the installation of a directory, without taking it.
 * @throws HoldfastError `invalid-input` when there is none, or others may enter the directory
 */
export async function readInstallation(path: string): Promise<LocalInstallation> {
  const found = await readFileIfPresent(join(path, FILE));
  if (found === undefined) {
    throw new HoldfastError(
      'invalid-input',
      `no local installation in ${path}: start one with "holdfast local", or name its directory`,
    );
  }
  await refuseForeignAccess(path);
  return parseInstallation(path, found);
}

async function refuseForeignAccess(path: string): Promise<void> {
  const status = await stat(path);
  if (!status.isDirectory()) {
    throw new HoldfastError(
      'invalid-input',
      `${path} is not a directory: name one for the local installation`,
    );
  }
  const uid = process.getuid?.();
  if (uid !== undefined && status.uid !== uid) {
    throw new HoldfastError(
      'invalid-input',
      `${path} belongs to another user: choose a directory of your own`,
    );
  }
  // Windows knows no such modes.
  const mode = status.mode & 0o777;
  if (uid !== undefined && (mode & 0o077) !== 0) {
    throw new HoldfastError(
      'invalid-input',
      `${path} has mode 0${mode.toString(8)}, so that others can read its secrets: run chmod 700 ${path} if you trust what is in it`,
    );
  }
}

function parseInstallation(path: string, content: string): LocalInstallation {
  try {
    return installationSchema.parse(JSON.parse(content));
  } catch (error) {
    const where = error instanceof z.core.$ZodError ? (error.issues[0]?.path.join('.') ?? '') : 'not JSON';
    throw new HoldfastError(
      'invalid-input',
      `${join(path, FILE)} is damaged or of another version (${where}): restore it, or start in a new directory`,
    );
  }
}

async function holder(path: string): Promise<string> {
  const pid = await readFileIfPresent(join(path, PID));
  return pid !== undefined && /^\d+$/.test(pid) ? ` as process ${pid}` : '';
}

/** Files of a process that died while it wrote. */
async function removeLeftovers(path: string): Promise<void> {
  const names = await readdir(path);
  const leftovers = names.filter((name) => name.endsWith('.tmp'));
  await Promise.all(leftovers.map((name) => rm(join(path, name), { force: true })));
  if (names.includes(LOCK)) {
    await chmod(join(path, LOCK), 0o600);
  }
}
