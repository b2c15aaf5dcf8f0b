import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSandboxCluster } from '../../../lib/local/sandbox/start-sandbox-cluster.ts';
import { aConfigMap, DEFAULT_MAPS, startClient } from './support/client.ts';

describe('the data file', () => {
  let directory: string;
  let dataFile: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
    dataFile = join(directory, 'cluster.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('keeps objects, versions and tokens that were given over a restart', async () => {
    const options = { dataFile, tokens: { apply: 'a', read: 'r' } };
    const first = await startClient(options);
    const before = await first.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));
    await first.cluster.close();

    const second = await startClient(options);
    const after = await second.request('GET', `${DEFAULT_MAPS}/a`);
    const later = await second.apply(`${DEFAULT_MAPS}/b`, aConfigMap('b'));
    await second.cluster.close();

    expect(after.body).toEqual(before.body);
    expect(Number(later.body.metadata.resourceVersion)).toBeGreaterThan(
      Number(before.body.metadata.resourceVersion),
    );
  });

  it('never gives out a version again that a crash has lost', async () => {
    const first = await startClient({ dataFile });
    await first.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));
    await first.cluster.close();
    const saved = await readFile(dataFile, 'utf8');
    const crashing = await startClient({ dataFile });
    const lost = await crashing.apply(`${DEFAULT_MAPS}/b`, aConfigMap('b'));
    await crashing.cluster.close();
    const version = Number(lost.body.metadata.resourceVersion);
    // What a crash leaves: the file from before the last write, and its temporary one.
    await writeFile(dataFile, JSON.stringify({ ...JSON.parse(saved), resourceVersion: version - 1 }));
    await writeFile(`${dataFile}.0a0b0c.tmp`, '{"cut');

    const second = await startClient({ dataFile });
    const next = await second.apply(`${DEFAULT_MAPS}/c`, aConfigMap('c'));
    const gone = await second.request('GET', `${DEFAULT_MAPS}/b`);
    await second.cluster.close();

    expect(gone.status).toBe(404);
    expect(Number(next.body.metadata.resourceVersion)).toBeGreaterThan(version);
  });

  it('goes on with what was half-done when it ended', async () => {
    const first = await startClient({ dataFile, availableAfterMs: 60_000 });
    await first.request('POST', '/apis/apps/v1/namespaces/default/deployments', aDeployment());
    await first.request('POST', '/api/v1/namespaces', { metadata: { name: 'going' } });
    await first.request('DELETE', '/api/v1/namespaces/going');
    await first.cluster.close();

    const second = await startClient({ dataFile });
    const available = await second.until(
      '/apis/apps/v1/namespaces/default/deployments/web',
      (answer) => answer.body.status['availableReplicas'] === 1,
    );
    await second.until('/api/v1/namespaces/going', (answer) => answer.status === 404);
    await second.cluster.close();

    expect(available.status).toBe(200);
  });

  it('is readable by its owner only, and leaves no temporary file', async () => {
    const client = await startClient({ dataFile });
    await client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));
    await client.cluster.close();

    expect((await stat(dataFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['cluster.json']);
  });

  it('is written while the cluster runs', async () => {
    const client = await startClient({ dataFile });
    await client.apply(`${DEFAULT_MAPS}/a`, aConfigMap('a'));

    let text = '';
    for (let tries = 0; tries < 500 && !text.includes('"name":"a"'); tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      text = await readFile(dataFile, 'utf8').catch(() => '');
    }
    await client.cluster.close();

    expect(text).toContain('"name":"a"');
  });

  it.each([
    ['not JSON', 'secret-value{'],
    ['of another schema', '{"schema": 99}'],
    ['cut', '{"schema": 1, "resourceVersion": 3}'],
    ['null', 'null'],
  ])('refuses a file that is %s and leaves it alone', async (_, content) => {
    await writeFile(dataFile, content);

    const start = startSandboxCluster({ dataFile });

    await expect(start).rejects.toMatchObject({ code: 'state-schema' });
    await expect(start).rejects.not.toThrow(/secret-value/);
    expect(await readFile(dataFile, 'utf8')).toBe(content);
  });
});

function aDeployment(): unknown {
  return {
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a:1' }] } },
    },
  };
}
