import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type LocalServices,
  openStateDirectory,
  readInstallation,
} from '../../../lib/local/state-directory.ts';

const services: LocalServices = {
  ports: { dynamodb: 1, sqsAndS3: 2, secretsManager: 3, httpApi: 4 },
  endpoints: { dynamodb: 'http://a', sqs: 'http://b', s3: 'http://b', secretsManager: 'http://c' },
  httpApiUrl: 'http://d',
  names: {
    installation: 'local',
    table: 'holdfast',
    sourceQueueUrl: 'http://b/sources',
    targetQueueUrl: 'http://b/targets',
    bucket: 'artefacts',
    secretPrefix: 'holdfast',
  },
  extraPorts: { sandbox: 5 },
};

describe('the state directory', () => {
  let parent: string;
  let path: string;

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'holdfast-state-'));
    path = join(parent, 'deep', 'state');
  });

  afterEach(async () => {
    await rm(parent, { recursive: true });
  });

  it('is made for its owner only, with a random access key', async () => {
    const first = await openStateDirectory(path);
    const second = await openStateDirectory(join(parent, 'other'));
    first.release();
    second.release();

    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(path, 'installation.json'))).mode & 0o777).toBe(0o600);
    expect(first.installation.accessKey).not.toEqual(second.installation.accessKey);
  });

  it('is found again with what was saved', async () => {
    const state = await openStateDirectory(path, 'mine');
    await state.saveServices(services);
    state.release();

    const again = await openStateDirectory(path, 'ignored now');
    again.release();

    expect(again.installation).toEqual({ ...state.installation, services });
    expect(await readInstallation(path)).toEqual(again.installation);
  });

  it('is held by one at a time, and free after release', async () => {
    const state = await openStateDirectory(path);

    await expect(openStateDirectory(path)).rejects.toThrow(
      `already runs in ${path} as process ${process.pid}`,
    );
    state.release();
    const again = await openStateDirectory(path);
    again.release();
  });

  it('goes to exactly one of many that start at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => openStateDirectory(path)));

    const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(opened).toHaveLength(1);
    opened[0]?.release();
  });

  it.each([0o755, 0o710, 0o701, 0o777])('is refused with mode %o', async (mode) => {
    await mkdir(path, { recursive: true });
    await chmod(path, mode);

    await expect(openStateDirectory(path)).rejects.toThrow(`has mode 0${mode.toString(8)}`);
    expect(await readdir(path)).toEqual([]);
  });

  it('is refused when it is a file', async () => {
    await mkdir(join(parent, 'deep'));
    await writeFile(path, '');

    await expect(openStateDirectory(path)).rejects.toThrow();
  });

  it.each([
    ['cut off', '{"schema":1,'],
    ['empty', ''],
    ['of another version', '{"schema":2}'],
    ['with a field nobody knows', JSON.stringify({ schema: 1, installation: 'x', accessKey: {}, more: 1 })],
  ])(
    'is refused when installation.json is %s, is left as it is, and is not locked',
    async (_case, content) => {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await writeFile(join(path, 'installation.json'), content);

      await expect(openStateDirectory(path)).rejects.toThrow('is damaged or of another version');
      await expect(openStateDirectory(path)).rejects.toThrow('is damaged or of another version');

      expect(await readFile(join(path, 'installation.json'), 'utf8')).toBe(content);
    },
  );

  it('clears away what a process left half written', async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await writeFile(join(path, 'installation.json.abc.tmp'), '{"sche');

    const state = await openStateDirectory(path);
    state.release();

    expect(await readdir(path)).not.toContain('installation.json.abc.tmp');
  });

  it('rejects with what to do where there is none', async () => {
    await expect(readInstallation(path)).rejects.toThrow('start one with "holdfast local"');
  });
});
