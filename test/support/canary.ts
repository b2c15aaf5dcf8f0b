import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Secrets laid out where an attacker would look, and a server on this machine that should never hear of anybody. */
export interface Canary {
  /** Stands in the environment of this process, under names that credentials have. */
  readonly inEnvironment: string;
  /** Stands in a file that everybody may read. */
  readonly inFile: string;
  readonly file: string;
  /** For the test to put where it likes. */
  readonly elsewhere: string;
  /** What the server answers with holds it: an attack that reached the server shows. */
  readonly onServer: string;
  /** `http://127.0.0.1:port`: no proxy stands between a tool and it. */
  readonly url: string;
  /** The paths that the server was asked for since it was asked last. */
  heard(): readonly string[];
  /** Which of the secrets are in a text: plain, in hex, or in base64 at any offset. */
  sightings(text: string): readonly string[];
  release(): Promise<void>;
}

const NAMES = [
  'HOLDFAST_CANARY',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'SOPS_AGE_KEY',
  'GITHUB_TOKEN',
] as const;

export async function plantCanary(): Promise<Canary> {
  const secrets = {
    environment: token('environment'),
    file: token('file'),
    elsewhere: token('elsewhere'),
    server: token('server'),
  };
  const directory = await mkdtemp(join(tmpdir(), 'canary-'));
  const file = join(directory, 'canary.yaml');
  await writeFile(file, manifest(secrets.file));
  const heard: string[] = [];
  const server = await listening((request, response) => {
    heard.push(request.url ?? '');
    response.end(manifest(secrets.server));
  });
  const kept = new Map(
    [...NAMES, 'AWS_LAMBDA_RUNTIME_API'].map((name) => [name, process.env[name]] as const),
  );
  for (const name of NAMES) process.env[name] = secrets.environment;
  process.env['AWS_LAMBDA_RUNTIME_API'] = server.url.replace('http://', '');
  return {
    inEnvironment: secrets.environment,
    inFile: secrets.file,
    file,
    elsewhere: secrets.elsewhere,
    onServer: secrets.server,
    url: server.url,
    heard: () => heard.splice(0),
    sightings: (text) =>
      Object.values(secrets).filter((secret) => formsOf(secret).some((form) => text.includes(form))),
    async release() {
      for (const [name, value] of kept) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function token(place: string): string {
  return `canary-${place}-${randomBytes(8).toString('hex')}`;
}

function manifest(secret: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: canary}\ndata: {secret: ${secret}}\n`;
}

function formsOf(secret: string): readonly string[] {
  const inBase64 = [0, 1, 2].map((offset) => {
    const text = Buffer.from(`${'x'.repeat(offset)}${secret}`).toString('base64');
    // Only the digits that do not depend on what stands around it.
    return text.slice(offset === 0 ? 0 : offset + 1, -4);
  });
  return [secret, Buffer.from(secret).toString('hex'), ...inBase64];
}

async function listening(answer: RequestListener): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
