import type { JsonObject } from '../../../model/resource.ts';
import type { ServedType } from '../objects/served-types.ts';
import { pathNotFound } from './status.ts';

/** The version whose behaviour the sandbox was recorded from. */
export const SERVER_VERSION = {
  major: '1',
  minor: '20',
  gitVersion: 'v1.20.2+holdfast-sandbox',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'sandbox',
} as const;

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update'] as const;
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'] as const;

/** Answers the paths of discovery. undefined: the path is not one of them. @throws ApiError 404 for unknown groups */
export function discover(path: string, types: readonly ServedType[]): JsonObject | undefined {
  if (path === '/version') return SERVER_VERSION;
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/api/v1') return resourceList('v1', types);
  if (path === '/apis') {
    const groups = [...new Set(types.map((type) => type.group))].filter((group) => group !== '');
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => groupOf(group, types)) };
  }
  const match = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path);
  if (match === null) return undefined;
  const [, group = '', version] = match;
  if (!types.some((type) => type.group === group && (version === undefined || type.version === version))) {
    throw pathNotFound();
  }
  if (version !== undefined) return resourceList(`${group}/${version}`, types);
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group, types) };
}

function groupOf(group: string, types: readonly ServedType[]): JsonObject {
  const names = [...new Set(types.filter((type) => type.group === group).map((type) => type.version))];
  const versions = names
    .sort(byVersionPriority)
    .map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] ?? {} };
}

/** Stable before beta before alpha, newer before older, everything else behind by name. */
function byVersionPriority(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)];
  for (const [index, value] of left.entries()) {
    const difference = (right[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}

function rank(version: string): readonly number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const stability = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}

function resourceList(apiVersion: string, types: readonly ServedType[]): JsonObject {
  const resources = types.filter((type) => type.apiVersion === apiVersion).flatMap(resourcesOf);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersion, resources };
}

function resourcesOf(type: ServedType): readonly JsonObject[] {
  const common = { singularName: type.singular, namespaced: type.namespaced, kind: type.kind };
  const main: JsonObject = {
    name: type.resource,
    ...common,
    verbs: VERBS,
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
  };
  const status: JsonObject = {
    name: `${type.resource}/status`,
    ...common,
    singularName: '',
    verbs: SUBRESOURCE_VERBS,
  };
  const scale: JsonObject = {
    name: `${type.resource}/scale`,
    singularName: '',
    namespaced: type.namespaced,
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
    verbs: SUBRESOURCE_VERBS,
  };
  return [main, ...(type.hasScale ? [scale] : []), ...(type.hasStatus ? [status] : [])];
}
