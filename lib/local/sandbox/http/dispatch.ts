import { applyObject } from '../api/apply.ts';
import { createObject, type WriteOptions } from '../api/create.ts';
import { deleteObject } from '../api/delete.ts';
import { discover } from '../api/discovery.ts';
import type { Lister } from '../api/list.ts';
import { patchedBody, patchObject } from '../api/patch.ts';
import {
  badRequest,
  conflict,
  invalid,
  methodNotAllowed,
  MODIFIED,
  notImplemented,
  pathNotFound,
  unsupportedMediaType,
} from '../api/status.ts';
import { replaceObject, scaleOf, updateObject, type UpdateTarget } from '../api/update.ts';
import { liveObject, type SandboxWorld } from '../api/world.ts';
import { at, isRecord, type SandboxObject } from '../objects/sandbox-object.ts';
import type { ServedType } from '../objects/served-types.ts';
import { parseResourcePath, type ResourcePath } from './request-info.ts';

/** A request after authentication, its body read. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly mediaType: string;
  readonly accept: string;
  readonly userAgent: string;
  readonly body: string;
}

/** A body is JSON, or text as it is. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface DispatchDeps {
  readonly world: SandboxWorld;
  readonly lister: Lister;
}

/** Answers one request. @throws ApiError for every refusal */
export function dispatch(deps: DispatchDeps, request: ApiRequest): ApiAnswer {
  const { path, method } = request;
  if (['/readyz', '/livez', '/healthz'].includes(path)) return { status: 200, body: 'ok' };
  const resource = parseResourcePath(path);
  const types = deps.world.types.all();
  const group = /^\/apis\/([^/]+)/.exec(path)?.[1];
  if (group !== undefined && !types.some((type) => type.group === group)) {
    return { status: 404, body: '404 page not found\n' };
  }
  if (resource === undefined) {
    if (method !== 'GET') throw methodNotAllowed();
    const found = discover(path.replace(/(.)\/$/, '$1'), types);
    if (found === undefined) throw pathNotFound();
    return { status: 200, body: found };
  }
  const type = deps.world.types.find(resource.group, resource.version, resource.resource);
  if (type === undefined) throw pathNotFound();
  if (!type.namespaced && resource.namespace !== undefined) throw pathNotFound();
  if (resource.subresource === 'status' && !type.hasStatus) throw pathNotFound();
  if (resource.subresource === 'scale') return scale(deps, type, resource, request);
  if (resource.name === undefined) return onCollection(deps, type, resource, request);
  if (type.namespaced && resource.namespace === undefined) throw pathNotFound();
  return onObject(deps, type, resource, resource.name, request);
}

function onCollection(
  { world, lister }: DispatchDeps,
  type: ServedType,
  resource: ResourcePath,
  request: ApiRequest,
): ApiAnswer {
  switch (request.method) {
    case 'GET': {
      if (['true', '1'].includes(request.query.get('watch') ?? '')) throw notImplemented('watch');
      const { items, metadata } = lister.list(type, resource.namespace, request.query);
      return { status: 200, body: listBody(type, items, metadata, request.accept) };
    }
    case 'POST': {
      if (type.namespaced && resource.namespace === undefined) throw methodNotAllowed();
      const options = writeOptions(request);
      const object = createObject(world, type, resource.namespace ?? '', jsonBody(request), options);
      return { status: 201, body: represent(type, object, request.accept) };
    }
    case 'DELETE':
      throw notImplemented('deletecollection');
    default:
      throw methodNotAllowed();
  }
}

function onObject(
  { world }: DispatchDeps,
  type: ServedType,
  resource: ResourcePath,
  name: string,
  request: ApiRequest,
): ApiAnswer {
  const namespace = resource.namespace ?? '';
  const target: UpdateTarget = { namespace, name, subresource: resource.subresource };
  const answer = (object: SandboxObject, status = 200): ApiAnswer => ({
    status,
    body: represent(type, object, request.accept),
  });
  switch (request.method) {
    case 'GET':
      return answer(liveObject(world, type, namespace, name));
    case 'PUT':
      return answer(replaceObject(world, type, target, jsonBody(request), writeOptions(request)));
    case 'PATCH':
      if (request.mediaType === APPLY) {
        const options = { ...applyOptions(request), force: request.query.get('force') === 'true' };
        const { object, created } = applyObject(world, type, target, request.body, options);
        return answer(object, created ? 201 : 200);
      }
      refuseForce(request);
      if (!PATCH_TYPES.has(request.mediaType)) throw unsupportedMediaType();
      return answer(
        patchObject(world, type, target, request.mediaType, jsonBody(request), writeOptions(request)),
      );
    case 'DELETE': {
      if (resource.subresource !== '') throw methodNotAllowed();
      const result = deleteObject(world, type, namespace, name, {
        dryRun: dryRun(request),
        body: request.body.trim() === '' ? undefined : jsonBody(request),
        propagation: request.query.get('propagationPolicy') ?? undefined,
      });
      return { status: 200, body: result };
    }
    default:
      throw methodNotAllowed();
  }
}

const APPLY = 'application/apply-patch+yaml';
const PATCH_TYPES = new Set([
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
]);

function scale(
  { world }: DispatchDeps,
  type: ServedType,
  resource: ResourcePath,
  request: ApiRequest,
): ApiAnswer {
  if (!type.hasScale || resource.name === undefined) throw pathNotFound();
  const namespace = resource.namespace ?? '';
  const live = liveObject(world, type, namespace, resource.name);
  if (request.method === 'GET') return { status: 200, body: scaleOf(live) };
  if (request.method !== 'PUT' && request.method !== 'PATCH') throw methodNotAllowed();
  const body = jsonBody(request);
  const current = scaleOf(live) as unknown as SandboxObject;
  const wanted = request.method === 'PUT' ? body : patchedBody(type, current, request.mediaType, body);
  const replicas = at(wanted, 'spec', 'replicas') ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    throw badRequest('Scale: spec.replicas must be a whole number, zero or more');
  }
  const version = at(wanted, 'metadata', 'resourceVersion');
  if (version !== undefined && version !== '' && version !== live.metadata.resourceVersion) {
    throw conflict(type, resource.name, MODIFIED);
  }
  const spec = { ...(isRecord(live['spec']) ? live['spec'] : {}), replicas };
  const target: UpdateTarget = { namespace, name: resource.name, subresource: 'scale' };
  const object = updateObject(world, type, target, live, { ...live, spec }, writeOptions(request));
  return { status: 200, body: scaleOf(object) };
}

function jsonBody(request: ApiRequest): unknown {
  try {
    return JSON.parse(request.body);
  } catch {
    // The parser's message quotes the body, which may be a Secret.
    throw badRequest('the request body is not valid JSON');
  }
}

const OPTIONS: Readonly<Record<string, string>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
  DELETE: 'DeleteOptions',
};

function dryRun(request: ApiRequest): boolean {
  const values = request.query.getAll('dryRun').filter((value) => value !== '');
  const unknown = values.find((value) => value !== 'All');
  if (unknown !== undefined) {
    const options = { group: 'meta.k8s.io', kind: OPTIONS[request.method] ?? 'Options', resource: '' };
    const shown = `[]string{${JSON.stringify(unknown)}}`;
    const error = {
      type: 'unsupported',
      field: 'dryRun',
      value: unknown,
      shown,
      supported: ['All'],
    } as const;
    throw invalid(options, '', [error]);
  }
  return values.length > 0;
}

const MANAGER_LENGTH = 128;

/** An update without a field manager is tracked under the first word of its User-Agent. */
function writeOptions(request: ApiRequest): WriteOptions {
  const given = request.query.get('fieldManager') ?? '';
  const agent = request.userAgent.split('/')[0] ?? '';
  const fallback = [...agent].filter((character) => /[\x20-\x7e]/.test(character)).join('');
  const manager = given === '' ? fallback.slice(0, MANAGER_LENGTH) || 'unknown' : checked(given);
  return { manager, dryRun: dryRun(request) };
}

function applyOptions(request: ApiRequest): WriteOptions {
  const manager = request.query.get('fieldManager') ?? '';
  if (manager === '') {
    throw invalid(PATCH_OPTIONS, '', [
      { type: 'required', field: 'fieldManager', detail: 'is required for apply patch' },
    ]);
  }
  return { manager: checked(manager), dryRun: dryRun(request) };
}

const PATCH_OPTIONS = { group: 'meta.k8s.io', kind: 'PatchOptions', resource: '' };

function checked(manager: string): string {
  if (manager.length <= MANAGER_LENGTH) return manager;
  throw invalid(PATCH_OPTIONS, '', [
    { type: 'invalid', field: 'fieldManager', value: manager, detail: 'may not be more than 128' },
  ]);
}

function refuseForce(request: ApiRequest): void {
  if (request.query.get('force') === null) return;
  const detail = 'may not be specified for non-apply patch';
  throw invalid(PATCH_OPTIONS, '', [{ type: 'forbidden', field: 'force', detail }]);
}

/** The object in the requested version, or only its metadata. */
function represent(type: ServedType, object: SandboxObject, accept: string): unknown {
  if (accept.includes('as=PartialObjectMetadata')) {
    return { kind: 'PartialObjectMetadata', apiVersion: META_VERSION, metadata: object.metadata };
  }
  return object.apiVersion === type.apiVersion ? object : { ...object, apiVersion: type.apiVersion };
}

const META_VERSION = 'meta.k8s.io/v1';

function listBody(
  type: ServedType,
  items: readonly SandboxObject[],
  metadata: unknown,
  accept: string,
): unknown {
  if (accept.includes('as=PartialObjectMetadataList')) {
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: META_VERSION,
      metadata,
      items: items.map((object) => ({
        kind: 'PartialObjectMetadata',
        apiVersion: META_VERSION,
        metadata: object.metadata,
      })),
    };
  }
  // Items of built-in lists carry no kind of their own; those of custom resources do.
  const item =
    type.custom === undefined
      ? ({ apiVersion: _a, kind: _k, ...rest }: SandboxObject): unknown => rest
      : (object: SandboxObject): unknown => represent(type, object, '');
  return { kind: type.listKind, apiVersion: type.apiVersion, metadata, items: items.map(item) };
}
