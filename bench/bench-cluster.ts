import { randomBytes } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectKube } from '../lib/cluster/connect-kube.ts';
import { importKubeconfig, type ImportedCluster } from '../lib/cluster/import-kubeconfig.ts';
import type { KubeApi, ResourceType } from '../lib/cluster/kube-api.ts';
import type { ClusterName } from '../lib/model/ids.ts';
import { findTools } from '../lib/render/tools.ts';
import { kubectlOn, type Kubectl } from './kubectl.ts';

export const CLUSTER = 'bench' as ClusterName;

/** One real cluster, lent to all measurements, with everything that they leave in it. */
export interface BenchCluster {
  readonly imported: ImportedCluster;
  readonly kube: KubeApi;
  readonly kubectl: Kubectl;
  readonly serverVersion: string;
  /** A new, empty namespace; deleted at the end. */
  newNamespace(): Promise<string>;
  /** Writes files into a new directory below the bench's own. */
  directoryOf(files: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}

export async function openBenchCluster(kubeconfig: string): Promise<BenchCluster> {
  const imported = importKubeconfig(await readFile(kubeconfig, 'utf8'));
  const kube = connectKube({ ...imported, name: CLUSTER });
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-'));
  const tools = await findTools({ cacheDirectory: path.join(tmpdir(), 'holdfast-bench-tools') });
  const kubectl = await kubectlOn(tools, kubeconfig, directory);
  const type = await namespaceType(kube);
  const prefix = `bench-${randomBytes(3).toString('hex')}`;
  const namespaces: string[] = [];
  let directories = 0;
  return {
    imported,
    kube,
    kubectl,
    serverVersion: await kube.serverVersion(),
    async newNamespace() {
      const name = `${prefix}-${namespaces.length}`;
      namespaces.push(name);
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
      await kube.apply({ type, name }, object, { fieldManager: 'bench', force: false });
      return name;
    },
    async directoryOf(files) {
      const root = path.join(directory, `files-${directories++}`);
      for (const [name, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(root, name)), { recursive: true });
        await writeFile(path.join(root, name), content);
      }
      return root;
    },
    async close() {
      for (const name of namespaces) {
        const live = await kube.getMetadata({ type, name });
        if (live !== undefined) await kube.delete({ type, name }, live.metadata);
      }
      await kube.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function namespaceType(kube: KubeApi): Promise<ResourceType> {
  const type = (await kube.discovery()).find('v1', 'Namespace');
  if (type === undefined) throw new Error('the cluster serves no v1 Namespace');
  return type;
}
