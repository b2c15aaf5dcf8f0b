import type { LiveMetadata, LiveObject } from '../model/resource.ts';
import type { ResourceType } from './kube-api.ts';
import { KubeError } from './kube-error.ts';
import type { RequestContext } from './kube-status.ts';

/** @throws KubeError that does not quote the text */
export function parse(body: string, context: RequestContext): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The parser's error quotes the text, so it is not kept as a cause.
    throw malformed(context, 'is not JSON');
  }
}

/** @throws KubeError when it is no stored object */
export function asLiveObject(value: unknown, type: ResourceType, context: RequestContext): LiveObject {
  const object = recordOf(value);
  const metadata = recordOf(object?.['metadata']);
  if (
    object === undefined ||
    typeof metadata?.['name'] !== 'string' ||
    typeof metadata['uid'] !== 'string' ||
    typeof metadata['resourceVersion'] !== 'string'
  ) {
    throw malformed(context, 'is not an object with a name, uid and resourceVersion');
  }
  return {
    ...object,
    apiVersion: typeof object['apiVersion'] === 'string' ? object['apiVersion'] : apiVersionOf(type),
    kind: typeof object['kind'] === 'string' ? object['kind'] : type.kind,
    metadata: metadata as unknown as LiveObject['metadata'],
  };
}

/** Views like PodMetrics and ComponentStatus are served without uid and resourceVersion: both are '' then. */
export function asLiveMetadata(value: unknown, type: ResourceType, context: RequestContext): LiveMetadata {
  const metadata = recordOf(recordOf(value)?.['metadata']);
  if (typeof metadata?.['name'] !== 'string') {
    throw malformed(context, 'has an item without a name');
  }
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: { uid: '', resourceVersion: '', ...metadata } as LiveMetadata['metadata'],
  };
}

function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

export function malformed(context: RequestContext, problem: string): KubeError {
  return new KubeError(
    'kube-error',
    `${context.what} on cluster "${context.cluster}": the answer ${problem}; is this a Kubernetes API server?`,
    { retryable: true },
  );
}

export function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
