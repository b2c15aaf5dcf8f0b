import { type Cluster, KubeConfig, type User } from '@kubernetes/client-node';
import { parseDocument } from 'yaml';
import type { ClusterCredential } from '../model/cluster.ts';
import { HoldfastError } from '../model/errors.ts';
import { isLoopback, parseEndpoint } from './endpoint.ts';

export interface ImportedCluster {
  /** The context that was read. */
  readonly context: string;
  readonly endpoint: string;
  /** PEM; absent: the server's certificate must be signed by a public authority. */
  readonly caData?: string;
  readonly credential: ClusterCredential;
}

export interface ImportOptions {
  /** Defaults to current-context. */
  readonly context?: string;
  /** Allows http:// on loopback, for the in-process sandbox cluster. */
  readonly allowLoopbackHttp?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

const MAX_BYTES = 1024 * 1024;

/** What a kubeconfig may say that Holdfast cannot or must not do, and what to do instead. */
const REFUSED_USER_FIELDS: Readonly<Record<string, string>> = {
  exec: 'runs a program on this machine to get a credential, which a function cannot and Holdfast never does; create a ServiceAccount and use its token',
  'auth-provider':
    'needs a plugin on this machine to get a credential; create a ServiceAccount and use its token',
  tokenFile: 'points at a file of this machine; put the token itself under "token"',
  'token-file': 'points at a file of this machine; put the token itself under "token"',
  'client-certificate':
    'points at a file of this machine; embed it as "client-certificate-data" (kubectl config view --raw --flatten)',
  'client-key':
    'points at a file of this machine; embed it as "client-key-data" (kubectl config view --raw --flatten)',
  username: 'is basic authentication, which Kubernetes no longer has; use a token or a client certificate',
  password: 'is basic authentication, which Kubernetes no longer has; use a token or a client certificate',
  as: 'impersonates another user; register a credential that has the rights itself',
  'as-uid': 'impersonates another user; register a credential that has the rights itself',
  'as-groups': 'impersonates another user; register a credential that has the rights itself',
  'as-user-extra': 'impersonates another user; register a credential that has the rights itself',
};
const TAKEN_USER_FIELDS = ['token', 'client-certificate-data', 'client-key-data', 'extensions'];

const REFUSED_CLUSTER_FIELDS: Readonly<Record<string, string>> = {
  'insecure-skip-tls-verify':
    'turns off the check of the server certificate; give the cluster\'s CA as "certificate-authority-data"',
  'certificate-authority':
    'points at a file of this machine; embed it as "certificate-authority-data" (kubectl config view --raw --flatten)',
  'proxy-url':
    'sends the credential through a proxy, which is not supported; register an endpoint that the functions reach directly',
  'tls-server-name': 'is not supported; register the endpoint under a name that its certificate holds',
};
const TAKEN_CLUSTER_FIELDS = ['server', 'certificate-authority-data', 'disable-compression', 'extensions'];

/**
 * Takes one context's server, CA and credential out of a kubeconfig. Runs nothing and opens no file.
 *
 * Checked here before @kubernetes/client-node reads it, and only the named context is shown to it: by itself it opens
 * the file that a `token-file` names, reads `insecure-skip-tls-verify: "true"` as off, and drops fields that it does
 * not know without a word.
 *
 * @throws HoldfastError `invalid-input`; never quotes the text, which holds credentials
 */
export function importKubeconfig(text: string, options: ImportOptions = {}): ImportedCluster {
  const config = parseConfig(text);
  const contextName = options.context ?? textOf(config['current-context']);
  if (contextName === undefined) {
    throw refusal('has no current-context: name the context to import');
  }
  const context = entry(config, 'contexts', 'context', contextName);
  const clusterName = textOf(context['cluster']);
  const userName = textOf(context['user']);
  if (clusterName === undefined || userName === undefined) {
    throw refusal(`context ${quote(contextName)} must name a cluster and a user`);
  }
  const cluster = entry(config, 'clusters', 'cluster', clusterName);
  const user = entry(config, 'users', 'user', userName);
  refuseFields(`cluster ${quote(clusterName)}`, cluster, REFUSED_CLUSTER_FIELDS, TAKEN_CLUSTER_FIELDS);
  refuseFields(`user ${quote(userName)}`, user, REFUSED_USER_FIELDS, TAKEN_USER_FIELDS);

  const read = readWithClient(contextName, { name: clusterName, cluster }, { name: userName, user }, context);
  const caData = pem(read.cluster.caData, 'certificate-authority-data', `cluster ${quote(clusterName)}`);
  return {
    context: contextName,
    endpoint: endpointOf(read.cluster, clusterName, options.allowLoopbackHttp ?? false),
    ...(caData === undefined ? {} : { caData }),
    credential: credentialOf(read.user, userName),
  };
}

function readWithClient(
  contextName: string,
  cluster: { readonly name: string; readonly cluster: Fields },
  user: { readonly name: string; readonly user: Fields },
  context: Fields,
): { readonly cluster: Cluster; readonly user: User } {
  const config = new KubeConfig();
  try {
    config.loadFromString(
      JSON.stringify({
        'current-context': contextName,
        clusters: [cluster],
        users: [user],
        contexts: [{ name: contextName, context }],
      }),
    );
  } catch {
    // Its message may quote what it read.
    throw refusal(`context ${quote(contextName)} is not complete: its cluster needs a "server"`);
  }
  const read = { cluster: config.getCurrentCluster(), user: config.getCurrentUser() };
  if (read.cluster === null || read.user === null) {
    throw refusal(`context ${quote(contextName)} must name a cluster and a user`);
  }
  return { cluster: read.cluster, user: read.user };
}

function parseConfig(text: string): Fields {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw refusal(`is larger than ${MAX_BYTES} bytes`);
  }
  // Errors of the parser quote the line they are about: only code and line number are passed on.
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true, logLevel: 'error' });
  const first = document.errors[0];
  if (first !== undefined) {
    throw refusal(`is not valid YAML (${first.code} in line ${first.linePos?.[0].line ?? '?'})`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch {
    throw refusal('has too many or unknown YAML aliases');
  }
  if (!isFields(value)) {
    throw refusal('is not a mapping with clusters, users and contexts');
  }
  return value;
}

function entry(config: Fields, list: string, field: string, name: string): Fields {
  const entries = config[list];
  const found = (Array.isArray(entries) ? entries : []).filter(
    (each): each is Fields => isFields(each) && each['name'] === name,
  );
  if (found.length === 0) {
    const names = (Array.isArray(entries) ? entries : [])
      .filter(isFields)
      .map((each) => textOf(each['name']))
      .filter((each) => each !== undefined)
      .slice(0, 20);
    throw refusal(
      `has no ${field} ${quote(name)}: its ${list} are ${names.map(quote).join(', ') || '(none)'}`,
    );
  }
  if (found.length > 1) {
    throw refusal(`names ${field} ${quote(name)} ${found.length} times: keep one`);
  }
  const value = found[0]?.[field];
  if (!isFields(value)) {
    throw refusal(`${list}: ${quote(name)} has no mapping under "${field}"`);
  }
  return value;
}

function refuseFields(
  where: string,
  fields: Fields,
  refused: Readonly<Record<string, string>>,
  taken: readonly string[],
): void {
  for (const [field, value] of Object.entries(fields)) {
    const isSet = value !== null && value !== '' && value !== false && value !== undefined;
    if (!isSet || taken.includes(field)) {
      continue;
    }
    const why = Object.hasOwn(refused, field)
      ? refused[field]
      : 'is not known to Holdfast, and dropping it could change who is spoken to; remove it';
    throw refusal(`${where}: "${field}" ${why}`);
  }
}

function endpointOf(cluster: Cluster, clusterName: string, allowLoopbackHttp: boolean): string {
  const server = textOf(cluster.server);
  if (server === undefined) {
    throw refusal(`cluster ${quote(clusterName)}: "server" must be a URL like https://host:6443`);
  }
  const { origin, prefix } = parseEndpoint(server);
  const url = new URL(origin);
  if (url.protocol === 'http:' && !(allowLoopbackHttp && isLoopback(url.hostname))) {
    throw refusal(`cluster ${quote(clusterName)}: the server ${quote(origin)} is plain http; use https`);
  }
  return `${origin}${prefix}`;
}

function credentialOf(user: User, userName: string): ClusterCredential {
  const where = `user ${quote(userName)}`;
  const token = textOf(user.token)?.trim();
  const clientCertificate = pem(user.certData, 'client-certificate-data', where);
  const clientKey = pem(user.keyData, 'client-key-data', where);
  if (token !== undefined && token !== '') {
    // Header values are one line of visible characters; anything else would be refused later, less clearly.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      throw refusal(`${where}: "token" holds characters that no token has; is it complete and unwrapped?`);
    }
    return { token };
  }
  if (clientCertificate !== undefined && clientKey !== undefined) {
    return { clientCertificate, clientKey };
  }
  if (clientCertificate !== undefined || clientKey !== undefined) {
    throw refusal(
      `${where}: "client-certificate-data" and "client-key-data" belong together; one is missing`,
    );
  }
  throw refusal(
    `${where}: has neither a token nor a client certificate; create a ServiceAccount token for it`,
  );
}

function pem(encoded: unknown, field: string, where: string): string | undefined {
  if (encoded === undefined || encoded === null || encoded === '') {
    return undefined;
  }
  const decoded = typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : '';
  if (!decoded.includes('-----BEGIN ')) {
    throw refusal(`${where}: "${field}" is not base64 of a PEM block`);
  }
  return decoded;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function refusal(problem: string): HoldfastError {
  return new HoldfastError('invalid-input', `kubeconfig: ${problem}`);
}
