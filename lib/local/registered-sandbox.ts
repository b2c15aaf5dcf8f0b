import { join } from 'node:path';
import { stringify } from 'yaml';
import { HoldfastError } from '../model/errors.ts';
import { addCluster } from '../register/add-cluster.ts';
import type { RegisterDeps } from '../register/deps.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { type SandboxCluster, startSandboxCluster } from './sandbox/start-sandbox-cluster.ts';

/** The name under which definitions refer to it. */
export const SANDBOX_NAME = 'sandbox';
const DATA_FILE = 'sandbox.json';
const KUBECONFIG = 'sandbox.kubeconfig';

/** The sandbox cluster of a state directory, with its content of before; on its former port if that is free. */
export async function startSandbox(directory: string, port: number | undefined): Promise<SandboxCluster> {
  const dataFile = join(directory, DATA_FILE);
  if (port === undefined) return startSandboxCluster({ dataFile });
  try {
    return await startSandboxCluster({ dataFile, port });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'state-schema') throw error;
    return startSandboxCluster({ dataFile });
  }
}

/** Registers it with the tokens of this start. */
export async function registerSandbox(deps: RegisterDeps, sandbox: SandboxCluster): Promise<void> {
  await addCluster(deps, {
    name: SANDBOX_NAME,
    endpoint: sandbox.url,
    apply: { token: sandbox.token },
    read: { token: sandbox.readToken },
    replace: true,
  });
}

/**
 * For people with kubectl or curl; mode 0600.
 * @returns its path
 */
export async function writeSandboxKubeconfig(sandbox: SandboxCluster, directory: string): Promise<string> {
  const kubeconfig = join(directory, KUBECONFIG);
  await writeFileAtomically(kubeconfig, stringify(kubeconfigOf(sandbox)));
  return kubeconfig;
}

function kubeconfigOf(sandbox: SandboxCluster): unknown {
  const context = (name: string) => ({ name, context: { cluster: SANDBOX_NAME, user: name } });
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': SANDBOX_NAME,
    clusters: [{ name: SANDBOX_NAME, cluster: { server: sandbox.url } }],
    users: [
      { name: SANDBOX_NAME, user: { token: sandbox.token } },
      { name: `${SANDBOX_NAME}-read`, user: { token: sandbox.readToken } },
    ],
    contexts: [context(SANDBOX_NAME), context(`${SANDBOX_NAME}-read`)],
  };
}
