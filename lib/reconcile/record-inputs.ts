import type { KubeApi } from '../cluster/kube-api.ts';
import { sha256 } from '../model/ids.ts';
import type { RecordedInputs } from '../model/target-state.ts';

// The drift scan imports this: nothing of Git or rendering may come with it.

/** Of a value, a key or a secret that does not exist. Its appearance is another version. */
export const ABSENT = 'absent';

/** What helm asks of a destination. */
export interface Capabilities {
  readonly kubeVersion: string;
  readonly apiVersions: readonly string[];
}

/** Discovery afresh: a connection may have been open since before the destination was upgraded. */
export async function capabilitiesOf(kube: KubeApi, deadline: number): Promise<Capabilities> {
  const discovery = await kube.discovery({ refresh: true, deadline });
  return { kubeVersion: await kube.serverVersion({ deadline }), apiVersions: discovery.apiVersions() };
}

/** undefined: the render depends on nothing but its commit. */
export function recordInputs(
  versions: ReadonlyMap<string, string>,
  capabilities: Capabilities | undefined,
): RecordedInputs | undefined {
  if (versions.size === 0 && capabilities === undefined) return undefined;
  const sorted = [...versions].sort(([a], [b]) => (a < b ? -1 : 1));
  const asked = capabilities === undefined ? [] : [capabilities.kubeVersion, ...capabilities.apiVersions];
  return {
    digest: sha256(JSON.stringify([sorted, asked])),
    ...(capabilities === undefined ? {} : { capabilities: true }),
  };
}
