import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { createChartHost, type ChartHostOptions } from '../../lib/charts/create-chart-host.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { SecretStore } from '../../lib/secrets/secret-store.ts';
import type { ResolveHost } from '../../lib/source/network-policy.ts';
import { selfSigned } from './test-certificate.ts';

export interface Entry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly header?: Partial<Header>;
}

/** A tar file of just these entries. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  for (const { name, content = '', header } of entries) stream.entry({ name, ...header }, content);
  stream.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const tgzOf = async (entries: readonly Entry[]): Promise<Buffer> => gzipSync(await tarOf(entries));

export const chartYaml = (name: string, version: string): string =>
  `apiVersion: v2\nname: ${name}\nversion: ${version}\n`;

/** A packed chart as helm packs it. */
export async function aChart(
  parts: {
    readonly name?: string;
    readonly version?: string;
    readonly files?: Readonly<Record<string, string>>;
  } = {},
): Promise<Buffer> {
  const { name = 'podinfo', version = '1.2.3', files = {} } = parts;
  const contents = { 'Chart.yaml': chartYaml(name, version), 'values.yaml': 'replicas: 1\n', ...files };
  return tgzOf(Object.entries(contents).map(([file, content]) => ({ name: `${name}/${file}`, content })));
}

export const hexOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const digestOf = (bytes: Buffer): string => `sha256:${hexOf(bytes)}`;

export interface Listed {
  readonly version: string;
  readonly url?: string;
  readonly digest?: string;
}

/** An index as "helm repo index" writes it. */
export function indexOf(name: string, versions: readonly Listed[]): string {
  const items = versions.map(({ version, url, digest }) =>
    [
      '  - apiVersion: v2',
      '    created: "2026-01-01T00:00:00Z"',
      ...(digest === undefined ? [] : [`    digest: ${digest}`]),
      `    name: ${name}`,
      '    urls:',
      `    - ${url ?? `${name}-${version}.tgz`}`,
      `    version: ${JSON.stringify(version)}`,
    ].join('\n'),
  );
  return `apiVersion: v1\nentries:\n  ${name}:\n${items.join('\n')}\ngenerated: "2026-01-01T00:00:00Z"\n`;
}

export interface TestServer {
  readonly url: string;
  readonly origin: string;
  readonly host: string;
  readonly requests: IncomingMessage[];
  /** Path and query of every request so far. */
  asked(): readonly (string | undefined)[];
}

export interface ChartWorld {
  readonly directory: string;
  /** A server that answers as told and keeps what it was asked. */
  serve(answer: RequestListener): Promise<TestServer>;
  /** The same over https, under a name of its own that ends in .test. */
  serveTls(name: string, answer: RequestListener): Promise<TestServer>;
  /** The same from a table of paths; anything else is 404. */
  serveFiles(files: Readonly<Record<string, string | Buffer>>): Promise<TestServer>;
  /** A host with a cache of its own, that may speak to the servers of this world. */
  aHost(overrides?: Partial<ChartHostOptions>): ReturnType<typeof createChartHost>;
  close(): Promise<void>;
}

type CreateServer = (listener: RequestListener) => Server;

const certificate = selfSigned([
  '127.0.0.1',
  ...['cdn.test', 'charts.test', 'internal.test', 'registry.test', 'tokens.test'],
  '*.example.com',
  '*.dkr.ecr.eu-central-1.amazonaws.com',
]);

/** Every name is this machine. */
export const loopbackLookup: ResolveHost = (_hostname, _options, callback) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }]);

export async function chartWorld(): Promise<ChartWorld> {
  const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-charts-'));
  const closing: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })];
  const origins: string[] = [];
  let hosts = 0;

  async function started(scheme: string, name: string, create: CreateServer, answer: RequestListener) {
    const requests: IncomingMessage[] = [];
    const server = create((request, response) => {
      requests.push(request);
      answer(request, response);
    });
    const port = await listen(server);
    closing.push(() => closeServer(server));
    const host = `${name}:${port}`;
    const url = `${scheme}://${host}`;
    origins.push(url);
    return { url, origin: url, host, requests, asked: () => requests.map((request) => request.url) };
  }

  const serve = (answer: RequestListener) => started('http', '127.0.0.1', createServer, answer);

  return {
    directory,
    serve,
    serveTls: (name, answer) =>
      started('https', name, (listener) => createTlsServer(certificate, listener), answer),
    serveFiles: (files) =>
      serve((request, response) => {
        const content = files[(request.url ?? '').replace(/^\//, '')];
        if (content === undefined) response.writeHead(404).end('nothing here');
        else response.end(content);
      }),
    aHost(overrides = {}) {
      hosts += 1;
      const host = createChartHost({
        secrets: chartSecrets({}),
        cacheDirectory: path.join(directory, `cache-${hosts}`),
        allowedOrigins: origins,
        trustedCertificates: [certificate.cert],
        lookup: loopbackLookup,
        ...overrides,
      });
      closing.push(() => host.close());
      return host;
    },
    async close() {
      for (const each of closing.reverse()) await each();
    },
  };
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

export function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A secret of the role `chart`, for one server: `user:password`, and where alone it is sent. */
export function aCredential(account: string, server: { readonly host: string }): string {
  const [username, password] = account.split(':');
  return JSON.stringify({ username, password, hosts: [server.host] });
}

/** Secrets of the role chart; `stale` is what a get without `fresh` still gives. */
export function chartSecrets(
  current: Readonly<Record<string, string>>,
  stale: Readonly<Record<string, string>> = {},
): SecretStore & { readonly reads: { readonly name: string; readonly fresh: boolean }[] } {
  const reads: { name: string; fresh: boolean }[] = [];
  return {
    reads,
    async get(role, name, { fresh = false } = {}) {
      reads.push({ name, fresh });
      const value = (fresh ? undefined : stale[name]) ?? current[name];
      if (role !== 'chart' || value === undefined) {
        throw new HoldfastError('secret-missing', `secret "${role}/${name}" does not exist`);
      }
      return value;
    },
    put: () => Promise.reject(new Error('not in this test')),
    delete: () => Promise.reject(new Error('not in this test')),
  };
}

/** The error of a promise that is expected to fail. */
export async function failureOf(promise: Promise<unknown>): Promise<HoldfastError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Everything that could be shown of an error. */
export function allOf(error: Error): string {
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error));
  return `${String(error)} ${error.stack ?? ''} ${own} ${JSON.stringify((error as HoldfastError).details)}`;
}
