import type { KubeObject } from '../model/resource.ts';

/** For people, before namespaces are settled: `ConfigMap web`, `Secret shop/db`. */
export function describeObject({ kind, metadata }: KubeObject): string {
  const { name, namespace } = metadata;
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
