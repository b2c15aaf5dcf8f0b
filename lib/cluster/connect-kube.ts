import type { ClusterCredential } from '../model/cluster.ts';
import type { ClusterName } from '../model/ids.ts';
import { describeResource, type LiveMetadata, type LiveObject } from '../model/resource.ts';
import type { CallOptions, Discovery, KubeApi, ResourceRef, ResourceType } from './kube-api.ts';
import { KubeError } from './kube-error.ts';
import { isObjectNotFound, type RequestContext } from './kube-status.ts';
import { readOpenApi, type OpenApi } from './openapi.ts';
import { readDiscovery } from './read-discovery.ts';
import { asLiveMetadata, asLiveObject, malformed, parse, recordOf } from './read-live.ts';
import { createTransport, type TransportRequest } from './transport.ts';

export interface ConnectOptions {
  readonly name: ClusterName;
  /** https://host:port with an optional path prefix; http:// on loopback only. */
  readonly endpoint: string;
  /** PEM; absent: the system's roots. */
  readonly caData?: string;
  readonly credential: ClusterCredential;
  /** Asked once after a 401; the request is then sent again. */
  readonly renewCredential?: () => Promise<ClusterCredential>;
  /** Asked before every request, for tokens that end by themselves. */
  readonly currentCredential?: () => Promise<ClusterCredential>;
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
  /** Connections kept at most; 16 by default. */
  readonly connections?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

type Verb = 'list' | 'get' | 'apply' | 'patch' | 'delete' | 'discovery';

const LIST_PAGE = 500;
const MAX_PAGES = 10_000;
const METADATA = 'as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const METADATA_LIST = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

/**
 * One cluster's API over warm connections. Opens nothing before the first request.
 *
 * @throws HoldfastError `invalid-input` for an endpoint that is not usable; its methods throw KubeError
 */
export function connectKube(options: ConnectOptions): KubeApi {
  const transport = createTransport({ ...options, cluster: options.name });
  const counts: Record<Verb, number> = { list: 0, get: 0, apply: 0, patch: 0, delete: 0, discovery: 0 };
  let known: Promise<Discovery> | undefined;
  let isReading = false;
  let described: Promise<OpenApi> | undefined;

  function request(
    verb: Verb,
    context: Omit<RequestContext, 'cluster'>,
    rest: Omit<TransportRequest, 'context' | 'onSend'>,
    call: CallOptions | undefined,
  ): TransportRequest {
    return {
      ...rest,
      context: { ...context, cluster: options.name },
      onSend: () => {
        counts[verb] += 1;
      },
      ...(call?.deadline === undefined ? {} : { deadline: call.deadline }),
    };
  }

  async function discovery(call?: { readonly refresh?: boolean } & CallOptions): Promise<Discovery> {
    if (known === undefined || (call?.refresh === true && !isReading)) {
      const before = known;
      isReading = true;
      described = undefined;
      known = readDiscovery((path, accept) => getDocument('discovery', path, accept, call)).finally(() => {
        isReading = false;
      });
      // A failed look is not remembered: what was known stays, and the next call tries again.
      known.catch(() => {
        known = before;
      });
    }
    return known;
  }

  async function openapi(call?: CallOptions): Promise<OpenApi> {
    described ??= getDocument('discovery', '/openapi/v2', 'application/json', call).then((document) => {
      if (document !== undefined) return readOpenApi(document);
      const why =
        'it does not say which fields its kinds have (no /openapi/v2): without that nothing can be validated';
      throw new KubeError('kube-error', `cluster "${options.name}": ${why}`, { retryable: false });
    });
    const asked = described;
    try {
      return await asked;
    } catch (error) {
      // A failed look is not remembered, unless another one has begun.
      if (described === asked) described = undefined;
      throw error;
    }
  }

  /** undefined: the server does not serve this path. */
  async function getDocument(
    verb: Verb,
    path: string,
    accept: string,
    call: CallOptions | undefined,
  ): Promise<unknown> {
    const context = { what: `get ${path}`, sensitive: false };
    const sent = request(verb, context, { method: 'GET', path, accept, isImpatient: true }, call);
    const answer = await transport.send(sent, (status) => status === 404);
    return answer.status === 404 ? undefined : parse(answer.body, sent.context);
  }

  async function read(ref: ResourceRef, accept: string, call?: CallOptions): Promise<unknown> {
    const sent = request('get', contextOf('get', ref), { method: 'GET', path: pathOf(ref), accept }, call);
    const answer = await transport.send(
      sent,
      (status, body) => status === 404 && isObjectNotFound(body, ref.name, ref.type.resource),
    );
    return answer.status === 404 ? undefined : parse(answer.body, sent.context);
  }

  async function patch(
    verb: 'apply' | 'patch',
    ref: ResourceRef,
    parts: {
      readonly contentType: string;
      readonly query: Record<string, string>;
      readonly body: unknown;
    },
    call: CallOptions,
  ): Promise<LiveObject> {
    const sent = request(
      verb,
      contextOf(verb, ref),
      {
        method: 'PATCH',
        path: `${pathOf(ref)}?${new URLSearchParams(parts.query)}`,
        contentType: parts.contentType,
        body: JSON.stringify(parts.body),
      },
      call,
    );
    const answer = await transport.send(sent);
    return asLiveObject(parse(answer.body, sent.context), ref.type, sent.context);
  }

  async function listOnce(
    type: ResourceType,
    list: ({ readonly namespace?: string; readonly labelSelector?: string } & CallOptions) | undefined,
  ): Promise<readonly LiveMetadata[] | 'expired'> {
    const where = list?.namespace === undefined ? '' : ` in namespace ${list.namespace}`;
    const what = `list ${type.kind}${type.group === '' ? '' : `.${type.group}`}${where}`;
    const items: LiveMetadata[] = [];
    let continueToken = '';
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const query = new URLSearchParams({
        limit: String(LIST_PAGE),
        ...(list?.labelSelector === undefined ? {} : { labelSelector: list.labelSelector }),
        ...(continueToken === '' ? {} : { continue: continueToken }),
      });
      const sent = request(
        'list',
        { what, sensitive: isSecret(type) },
        {
          method: 'GET',
          path: `${collectionPath(type, list?.namespace)}?${query}`,
          accept: `application/json;${METADATA_LIST},application/json`,
        },
        list,
      );
      // The token is bound to a snapshot that etcd may have compacted meanwhile.
      const answer = await transport.send(sent, (status) => status === 410 && continueToken !== '');
      if (answer.status === 410) {
        return 'expired';
      }
      const parsed = recordOf(parse(answer.body, sent.context));
      const metadata = recordOf(parsed?.['metadata']);
      // Go writes an empty list as null. A list without items is none, and must not read as "nothing is there".
      const found = parsed?.['items'] === null ? [] : parsed?.['items'];
      if (metadata === undefined || !Array.isArray(found)) {
        throw malformed(sent.context, 'is not a list');
      }
      for (const item of found) {
        items.push(asLiveMetadata(item, type, sent.context));
      }
      const token = metadata['continue'];
      if (typeof token !== 'string' || token === '') {
        return items;
      }
      continueToken = token;
    }
    throw new KubeError('kube-error', `${what} on cluster "${options.name}": more than ${MAX_PAGES} pages`, {
      retryable: false,
    });
  }

  return {
    cluster: options.name,
    requestCounts: counts,
    discovery,
    openapi,
    close: () => transport.close(),

    async listMetadata(type, list) {
      for (const attempt of ['first', 'again'] as const) {
        const items = await listOnce(type, list);
        if (items !== 'expired') {
          return items;
        }
        if (attempt === 'again') {
          break;
        }
      }
      throw new KubeError(
        'kube-error',
        `list ${type.kind} on cluster "${options.name}": the list expired twice between two pages`,
        { status: 410, reason: 'Expired', retryable: true },
      );
    },

    async get(ref, call) {
      const found = await read(ref, 'application/json', call);
      return found === undefined
        ? undefined
        : asLiveObject(found, ref.type, { ...contextOf('get', ref), cluster: options.name });
    },

    async getMetadata(ref, call) {
      const found = await read(ref, `application/json;${METADATA},application/json`, call);
      return found === undefined
        ? undefined
        : asLiveMetadata(found, ref.type, { ...contextOf('get', ref), cluster: options.name });
    },

    apply(ref, object, call) {
      const query = {
        fieldManager: call.fieldManager,
        force: String(call.force),
        ...(call.dryRun === true ? { dryRun: 'All' } : {}),
      };
      // JSON is YAML, and no other content type is known to every server for an apply.
      return patch('apply', ref, { contentType: 'application/apply-patch+yaml', query, body: object }, call);
    },

    mergePatch(ref, body, call) {
      const query = { fieldManager: call.fieldManager };
      return patch('patch', ref, { contentType: 'application/merge-patch+json', query, body }, call);
    },

    jsonPatch(ref, body, call) {
      const query = { fieldManager: call.fieldManager };
      return patch('patch', ref, { contentType: 'application/json-patch+json', query, body }, call);
    },

    async delete(ref, call) {
      const sent = request(
        'delete',
        contextOf('delete', ref),
        {
          method: 'DELETE',
          path: pathOf(ref),
          contentType: 'application/json',
          body: JSON.stringify({
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy: 'Background',
            preconditions: { uid: call.uid, resourceVersion: call.resourceVersion },
          }),
        },
        call,
      );
      const answer = await transport.send(
        sent,
        (status, body) => status === 404 && isObjectNotFound(body, ref.name, ref.type.resource),
      );
      if (answer.status === 404) {
        return undefined;
      }
      // A Status means that it is gone; the object itself is sent back while finalizers or dependants hold it.
      const deleted = recordOf(parse(answer.body, sent.context));
      return deleted?.['kind'] === 'Status' ||
        recordOf(deleted?.['metadata'])?.['deletionTimestamp'] === undefined
        ? 'gone'
        : 'terminating';
    },

    async serverVersion(call) {
      const document = recordOf(await getDocument('discovery', '/version', 'application/json', call));
      const version = document?.['gitVersion'];
      if (typeof version !== 'string') {
        throw malformed(
          { what: 'get /version', cluster: options.name, sensitive: false },
          'has no gitVersion',
        );
      }
      return version;
    },
  };
}

function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const base = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  return namespace === undefined
    ? `${base}/${type.resource}`
    : `${base}/namespaces/${encodeURIComponent(namespace)}/${type.resource}`;
}

/**
 * @throws KubeError `kube-invalid` for names that would leave their path segment
 */
function pathOf(ref: ResourceRef): string {
  for (const segment of [ref.name, ref.namespace]) {
    // Names come from Git. encodeURIComponent leaves dots alone, and URLs are normalised on their way.
    if (segment === '' || segment === '.' || segment === '..' || segment?.includes('/') === true) {
      throw new KubeError(
        'kube-invalid',
        `${ref.type.kind}: ${JSON.stringify(segment)} cannot be a name or namespace`,
        { retryable: false },
      );
    }
  }
  return `${collectionPath(ref.type, ref.namespace)}/${encodeURIComponent(ref.name)}`;
}

function contextOf(verb: string, ref: ResourceRef): Omit<RequestContext, 'cluster'> {
  const id = { group: ref.type.group, kind: ref.type.kind, name: ref.name };
  const described = describeResource(ref.namespace === undefined ? id : { ...id, namespace: ref.namespace });
  return { what: `${verb} ${described}`, sensitive: isSecret(ref.type) };
}

function isSecret(type: ResourceType): boolean {
  return type.group === '' && type.kind === 'Secret';
}
