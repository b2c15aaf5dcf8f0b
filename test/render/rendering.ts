import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Application } from '../../lib/model/application.ts';
import type { ApplicationId, ClusterName, RootId, SourceId } from '../../lib/model/ids.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import type { FileTree } from '../../lib/source/file-tree.ts';

/** A minimal valid application, to which each test adds one fact. */
export function anApplication(facts: Partial<Application> = {}): Application {
  return {
    id: 'test/root/holdfast/default/web' as ApplicationId,
    root: 'root' as RootId,
    dialect: 'holdfast',
    namespace: 'default',
    name: 'web',
    source: 'repo' as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path: 'app',
    render: { tool: 'auto' },
    destinations: [{ cluster: 'test' as ClusterName }],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
    ...facts,
  };
}

export function aTree(files: Readonly<Record<string, string | Uint8Array>>): FileTree {
  const paths = Object.keys(files).sort();
  return {
    paths,
    read: (path) => {
      if (!Object.hasOwn(files, path)) return undefined;
      const content = files[path];
      return typeof content === 'string' ? Buffer.from(content) : content;
    },
  };
}

export function configMap(name: string, data = '{}'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata: ${data}\n`;
}

/** `ConfigMap a`, in order. */
export function namesOf(manifests: readonly Manifest[]): readonly string[] {
  return manifests.map(({ object }) => `${object.kind} ${object.metadata.name}`);
}

export async function inTemporaryDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
