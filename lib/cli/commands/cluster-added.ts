import type { AddedCluster } from '../../register/add-cluster.ts';
import { type Cli, type GlobalOptions, print } from '../cli.ts';
import { UsageError } from '../exit-codes.ts';

/**
 * An option that has no effect would be taken for one that has.
 * @throws UsageError naming the first one that is given
 */
export function refuseOptions<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
  why: string,
): void {
  const given = names.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(`--${flag} ${why}`);
}

export function printAdded(
  cli: Cli,
  options: GlobalOptions,
  { cluster, replaced }: AddedCluster,
  warnings: readonly string[],
  serverVersion: string | undefined,
): void {
  const document = {
    cluster: cluster.name,
    endpoint: cluster.endpoint,
    replaced,
    ...(serverVersion === undefined ? {} : { serverVersion }),
    warnings,
  };
  const version = serverVersion === undefined ? '' : `, Kubernetes ${serverVersion}`;
  print(cli, options, document, () => [
    `${replaced ? 'Replaced' : 'Added'} cluster ${cluster.name} (${cluster.endpoint}${version}).`,
  ]);
  for (const warning of warnings) cli.io.err(`warning: ${warning}\n`);
}
