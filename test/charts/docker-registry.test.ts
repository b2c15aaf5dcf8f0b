import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { tools, whySkipped as whyNoTools } from '../render/tools-for-tests.ts';
import {
  aCredential,
  chartSecrets,
  chartWorld,
  digestOf,
  failureOf,
  type ChartWorld,
} from './chart-world.ts';

const run = promisify(execFile);

/** Debian's package docker-registry, and htpasswd of apache2-utils for the accounts of the second registry. */
const isThere = (program: string): boolean => {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const missing = ['docker-registry', 'htpasswd'].filter((program) => !isThere(program));
const withRegistry = missing.length === 0 && whyNoTools === '' ? describe : describe.skip;
const whySkipped = missing.length > 0 ? ` (skipped: no ${missing.join(', ')})` : whyNoTools;

interface Registry {
  readonly host: string;
  readonly origin: string;
  stop(): Promise<void>;
}

let world: ChartWorld;
const running: Registry[] = [];

beforeAll(async () => {
  world = await chartWorld();
});

afterAll(async () => {
  for (const registry of running) await registry.stop();
  await world.close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Started on a port of its own, with its storage below the test's directory. */
async function startRegistry(account?: {
  readonly user: string;
  readonly password: string;
}): Promise<Registry> {
  const port = await freePort();
  const directory = path.join(world.directory, `registry-${port}`);
  await mkdir(directory);
  const passwords = path.join(directory, 'htpasswd');
  if (account !== undefined) {
    await run('htpasswd', ['-Bbc', passwords, account.user, account.password]);
  }
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: path.join(directory, 'storage') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, secret: 'for this test only' },
    ...(account === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: passwords } } }),
  };
  const file = path.join(directory, 'config.yml');
  await writeFile(file, JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', file], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'] },
  });
  const origin = `http://127.0.0.1:${port}`;
  const registry = { host: `127.0.0.1:${port}`, origin, stop: () => stop(child) };
  running.push(registry);
  await untilAnswering(origin, child);
  return registry;
}

async function untilAnswering(origin: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (child.exitCode === null && Date.now() < deadline) {
    const answer = await fetch(`${origin}/v2/`).catch(() => undefined);
    if (answer !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`docker-registry does not answer (exit code ${child.exitCode})`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** What helm itself pushes, as it packages it. */
async function push(
  registry: Registry,
  parts: { readonly name: string; readonly version: string; readonly note?: string },
  account?: { readonly user: string; readonly password: string },
): Promise<Buffer> {
  const directory = path.join(world.directory, `chart-${parts.name}-${Math.random()}`);
  const source = path.join(directory, parts.name);
  await mkdir(path.join(source, 'templates'), { recursive: true });
  const { name, version, note = '' } = parts;
  await writeFile(path.join(source, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${version}\n`);
  const template = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  note: "${note}"\n`;
  await writeFile(path.join(source, 'templates/config.yaml'), template);
  const helm = await tools.helm();
  const env = { HOME: directory, HELM_REGISTRY_CONFIG: path.join(directory, 'registry.json') };
  await run(helm, ['package', source, '-d', directory], { env });
  if (account !== undefined) {
    const login = [
      'registry',
      'login',
      registry.host,
      '-u',
      account.user,
      '-p',
      account.password,
      '--plain-http',
    ];
    await run(helm, login, { env });
  }
  const archive = path.join(directory, `${name}-${version}.tgz`);
  await run(helm, ['push', archive, `oci://${registry.host}/charts`, '--plain-http'], { env });
  const bytes = await readFile(archive);
  await rm(directory, { recursive: true });
  return bytes;
}

withRegistry(`a real registry${whySkipped}`, () => {
  let registry: Registry;
  let archive: Buffer;
  const hostFor = (target: Registry, more = {}) => world.aHost({ allowedOrigins: [target.origin], ...more });
  const of = (target: Registry, more = {}) => ({
    repository: `oci://${target.host}/charts`,
    name: 'app',
    ...more,
  });

  beforeAll(async () => {
    registry = await startRegistry();
    archive = await push(registry, { name: 'app', version: '1.0.0' });
    await push(registry, { name: 'app', version: '1.1.0' });
    await push(registry, { name: 'app', version: '2.0.0-rc.1' });
    await push(registry, { name: 'app', version: '1.2.0+build.7' });
  });

  it('gives the chart that helm pushed', async () => {
    const chart = await hostFor(registry).fetch(of(registry, { version: '1.0.0' }));

    expect(chart).toMatchObject({ name: 'app', version: '1.0.0', digest: digestOf(archive) });
    expect(chart.files.paths).toEqual(['Chart.yaml', 'templates/config.yaml']);
  });

  it.each([
    [undefined, '1.2.0+build.7'],
    ['~1.1', '1.1.0'],
    ['<1.1', '1.0.0'],
    ['>=2.0.0-0', '2.0.0-rc.1'],
    ['1.2.0+build.7', '1.2.0+build.7'],
  ])('gives for %s the version %s, as helm does', async (version, expected) => {
    const helm = await tools.helm();
    const reference = `oci://${registry.host}/charts/app`;
    const asked = version === undefined ? [] : [`--version=${version}`];

    const chart = await hostFor(registry).fetch(of(registry, version === undefined ? {} : { version }));
    const { stdout } = await run(helm, ['show', 'chart', reference, '--plain-http', ...asked], {
      env: { HOME: world.directory },
    });

    expect(chart.version).toBe(expected);
    expect(stdout).toContain(`version: ${expected}\n`);
  });

  it('rejects what it does not have, and says what there is', async () => {
    const error = await failureOf(hostFor(registry).fetch(of(registry, { version: '9.9.9' })));
    const unknown = await failureOf(hostFor(registry).fetch({ ...of(registry), name: 'nowhere' }));

    expect(error.code).toBe('chart-not-found');
    expect(error.message).toContain('1.1.0, 1.0.0');
    expect(unknown.code).toBe('chart-not-found');
  });

  it('rejects a tag that moved away from the digest that is pinned', async () => {
    await push(registry, { name: 'moving', version: '1.0.0', note: 'first' });
    const request = { ...of(registry, { version: '1.0.0' }), name: 'moving' };
    const host = hostFor(registry);
    const first = await host.fetch(request);
    await push(registry, { name: 'moving', version: '1.0.0', note: 'second' });

    const second = await host.fetch(request);
    const error = await failureOf(host.fetch({ ...request, digest: first.manifestDigest ?? '' }));
    const old = await host.fetch({
      repository: request.repository,
      name: 'moving',
      digest: first.manifestDigest ?? '',
    });

    expect(second.digest).not.toBe(first.digest);
    expect(error.code).toBe('chart-refused');
    expect(error.message).toContain(first.manifestDigest ?? 'nothing');
    expect(error.message).toContain(second.manifestDigest ?? 'nothing');
    expect(old.digest).toBe(first.digest);
  });

  it('rejects a blob that was damaged in its storage', async () => {
    const bytes = await push(registry, { name: 'damaged', version: '1.0.0' });
    const hex = digestOf(bytes).slice('sha256:'.length);
    const port = registry.host.split(':')[1];
    const blob = `registry-${port}/storage/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
    await writeFile(path.join(world.directory, blob), Buffer.from(bytes.map((byte) => byte ^ 1)));

    const fetched = hostFor(registry).fetch({ ...of(registry, { version: '1.0.0' }), name: 'damaged' });

    await expect(fetched).rejects.toMatchObject({ code: 'chart-corrupt' });
  });

  it('rejects something else than a chart', async () => {
    const image = await aManifest(registry, 'application/vnd.oci.image.config.v1+json');

    const fetched = hostFor(registry).fetch({ ...of(registry, { version: '1.0.0' }), name: 'image' });

    expect(image).toBe(201);
    await expect(fetched).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it('rejects a registry that is gone, as worth another try', async () => {
    const gone = await startRegistry();
    await gone.stop();

    await expect(hostFor(gone).fetch(of(gone, { version: '1.0.0' }))).rejects.toMatchObject({
      code: 'chart-unreachable',
      retryable: true,
    });
  });

  it('refuses plain http unless the installation allows it', async () => {
    const fetched = world.aHost({ allowedOrigins: [] }).fetch(of(registry, { version: '1.0.0' }));

    await expect(fetched).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it('gives its charts to who has an account', async () => {
    const account = { user: 'ci', password: 'right' };
    const guarded = await startRegistry(account);
    await push(guarded, { name: 'app', version: '1.0.0' }, account);
    const secrets = chartSecrets({
      good: aCredential('ci:right', guarded),
      bad: aCredential('ci:wrong', guarded),
    });
    const host = hostFor(guarded, { secrets });

    const chart = await host.fetch(of(guarded, { version: '^1', credentials: 'good' }));

    expect(chart.version).toBe('1.0.0');
    for (const more of [{}, { credentials: 'bad' }]) {
      await expect(host.fetch(of(guarded, { version: '1.0.0', ...more }))).rejects.toMatchObject({
        code: 'chart-authentication',
      });
    }
  });
});

/** An artefact of one empty layer, put there by hand. @returns the status of the registry's answer */
async function aManifest(registry: Registry, configType: string): Promise<number> {
  const content = Buffer.from('{}');
  const base = `${registry.origin}/v2/charts/image`;
  const { headers } = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(headers.get('location') ?? '', registry.origin);
  upload.searchParams.set('digest', digestOf(content));
  await fetch(upload, {
    method: 'PUT',
    body: content,
    headers: { 'content-type': 'application/octet-stream' },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const descriptor = { digest: digestOf(content), size: content.length };
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, ...descriptor },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...descriptor }],
  };
  const answer = await fetch(`${base}/manifests/1.0.0`, {
    method: 'PUT',
    body: JSON.stringify(manifest),
    headers: { 'content-type': mediaType },
  });
  return answer.status;
}
