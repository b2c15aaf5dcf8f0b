import { HoldfastError } from '../model/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The names under which one installation's resources are found. */
export interface InstallationNames {
  /** Part of every ApplicationId. */
  readonly installation: string;
  readonly table: string;
  readonly sourceQueueUrl: string;
  readonly targetQueueUrl: string;
  readonly bucket: string;
  /** Secret names are `<prefix>/<role>/<name>`. */
  readonly secretPrefix: string;
}

const VARIABLES: Readonly<Record<keyof InstallationNames, string>> = {
  installation: 'HOLDFAST_INSTALLATION',
  table: 'HOLDFAST_TABLE',
  sourceQueueUrl: 'HOLDFAST_SOURCE_QUEUE_URL',
  targetQueueUrl: 'HOLDFAST_TARGET_QUEUE_URL',
  bucket: 'HOLDFAST_BUCKET',
  secretPrefix: 'HOLDFAST_SECRET_PREFIX',
};

/**
 * Reads the names that a function needs; a function that was given no right to a resource needs no name of it.
 * @throws HoldfastError `invalid-input` naming every variable that is not set
 */
export function namesFromEnvironment<Name extends keyof InstallationNames>(
  environment: Environment,
  needed: readonly Name[],
): Pick<InstallationNames, Name> {
  const missing = needed.map((name) => VARIABLES[name]).filter((variable) => !environment[variable]);
  if (missing.length > 0) {
    throw new HoldfastError(
      'invalid-input',
      `not set in the environment: ${missing.join(', ')}; the CDK app sets them on each function`,
    );
  }
  return Object.fromEntries(needed.map((name) => [name, environment[VARIABLES[name]]])) as Pick<
    InstallationNames,
    Name
  >;
}

/** The same names as environment variables, for functions and for child processes; a function gets those that it needs. */
export function namesToEnvironment(names: Partial<InstallationNames>): Record<string, string> {
  return Object.fromEntries(
    (Object.entries(names) as [keyof InstallationNames, string][]).map(([name, value]) => [
      VARIABLES[name],
      value,
    ]),
  );
}

/**
 * A duration that an installation may set, in seconds.
 * @throws HoldfastError `invalid-input` when it is set to something else than a positive number
 */
export function secondsFromEnvironment(environment: Environment, variable: string, fallback: number): number {
  const text = environment[variable];
  if (text === undefined || text === '') {
    return fallback;
  }
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new HoldfastError(
      'invalid-input',
      `${variable}: expected a positive number of seconds, got "${text}"`,
    );
  }
  return seconds;
}
