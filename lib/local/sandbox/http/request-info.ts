import type { Subresource } from '../objects/strategy.ts';
import { notImplemented, pathNotFound } from '../api/status.ts';

export type SandboxVerb =
  | 'discovery'
  | 'get'
  | 'list'
  | 'create'
  | 'update'
  | 'patch'
  | 'apply'
  | 'delete'
  | 'other';

/** A resource path, taken apart. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  /** undefined for cluster-scoped types and for lists over all namespaces. */
  readonly namespace: string | undefined;
  readonly resource: string;
  readonly name: string | undefined;
  readonly subresource: Subresource;
}

const RESOURCE_PATH = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))\/(.+)$/;
const SUBRESOURCES = new Set(['status', 'scale']);

/** undefined: not the path of a resource. @throws ApiError 501 for subresources that the sandbox does not have */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const match = RESOURCE_PATH.exec(path);
  if (match === null) return undefined;
  const [, core, group = '', version = core ?? '', rest = ''] = match;
  const parts = rest.split('/').map(decode);
  let namespace: string | undefined;
  // /namespaces/x is an object, /namespaces/x/status one of its parts, /namespaces/x/pods a collection in it.
  if (
    parts[0] === 'namespaces' &&
    parts.length > 2 &&
    !SUBRESOURCES.has(parts[2] ?? '') &&
    parts[2] !== 'finalize'
  ) {
    namespace = parts[1];
    parts.splice(0, 2);
  }
  const [resource = '', name, sub, ...more] = parts;
  if (more.length > 0 || resource === '' || name === '') throw pathNotFound();
  if (sub !== undefined && !SUBRESOURCES.has(sub)) throw notImplemented(`the subresource "${sub}"`);
  return { group, version, namespace, resource, name, subresource: (sub ?? '') as Subresource };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw pathNotFound();
  }
}

/** What a request wants, for the log and for the read-only token. */
export function verbOf(method: string, path: string, mediaType: string): SandboxVerb {
  const resource = RESOURCE_PATH.test(path);
  switch (method) {
    case 'GET':
      if (!resource) return 'discovery';
      return isCollection(path) ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return mediaType === 'application/apply-patch+yaml' ? 'apply' : 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return 'other';
  }
}

function isCollection(path: string): boolean {
  const parts = (RESOURCE_PATH.exec(path)?.[4] ?? '').split('/');
  if (parts[0] === 'namespaces' && parts.length > 2)
    return parts.length === 3 && !SUBRESOURCES.has(parts[2] ?? '');
  return parts.length === 1;
}
