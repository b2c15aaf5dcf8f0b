import { gzipSync } from 'node:zlib';
import type { Header } from 'tar-stream';
import { DEFAULT_CHART_LIMITS } from '../../lib/charts/chart-limits.ts';
import { unpackChart } from '../../lib/charts/unpack-chart.ts';
import { aChart, chartYaml, tarOf, tgzOf, type Entry } from './chart-world.ts';

const CHART: Entry = { name: 'podinfo/Chart.yaml', content: chartYaml('podinfo', '1.2.3') };

const unpack = (archive: Buffer, limits = {}) =>
  unpackChart(archive, { ...DEFAULT_CHART_LIMITS, ...limits }, 'chart "podinfo"');
const unpackEntries = async (...entries: readonly Entry[]) => unpack(await tgzOf([CHART, ...entries]));

/** A header as it stands in a tar file, of 512 bytes, with a name that no writer would take. */
async function withRawName(name: string): Promise<Buffer> {
  const tar = await tarOf([CHART, { name: 'podinfo/x', content: 'x' }]);
  const at = tar.indexOf('podinfo/x');
  tar.fill(0, at, at + 100);
  tar.write(name, at, 'latin1');
  tar.fill(' ', at + 148, at + 156);
  const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
  return gzipSync(tar);
}

describe('an archive', () => {
  it('is unpacked to paths below the chart', async () => {
    const chart = await unpack(
      await aChart({ files: { 'templates/a.yaml': 'a', 'charts/b/Chart.yaml': 'b' } }),
    );

    expect(chart).toMatchObject({ name: 'podinfo', version: '1.2.3' });
    expect(chart.files.paths).toEqual([
      'Chart.yaml',
      'charts/b/Chart.yaml',
      'templates/a.yaml',
      'values.yaml',
    ]);
    expect(Buffer.from(chart.files.read('templates/a.yaml') ?? []).toString()).toBe('a');
    expect(chart.files.read('../Chart.yaml')).toBeUndefined();
  });

  it('may have directories, a leading ./, long and foreign names, and empty files', async () => {
    const long = `podinfo/templates/${'d/'.repeat(80)}${'n'.repeat(150)}.yaml`;

    const { files } = await unpackEntries(
      { name: './podinfo/', header: { type: 'directory' } },
      { name: './podinfo/templates/', header: { type: 'directory' } },
      { name: './podinfo//templates/./b.yaml', content: 'b' },
      { name: long, content: 'long' },
      { name: 'podinfo/files/grüße – 你好.txt', content: 'x' },
      { name: 'podinfo/files/empty' },
      { name: 'podinfo/__proto__', content: 'p' },
    );

    expect(files.paths).toContain('templates/b.yaml');
    expect(files.paths).toContain(long.replace('podinfo/', ''));
    expect(files.paths).toContain('files/grüße – 你好.txt');
    expect(files.read('files/empty')).toHaveLength(0);
    expect(Buffer.from(files.read('__proto__') ?? []).toString()).toBe('p');
  });

  it('may be of the format before POSIX', async () => {
    const tar = await tarOf([CHART]);
    tar.fill(0, 257, 265);
    tar.fill(' ', 148, 156);
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);

    await expect(unpack(gzipSync(tar))).resolves.toMatchObject({ name: 'podinfo' });
  });

  it.each([
    ['podinfo/../../etc/passwd'],
    ['../podinfo/x'],
    ['podinfo/..'],
    ['/etc/passwd'],
    ['/podinfo/x'],
    ['podinfo\\..\\x'],
    ['podinfo/a\nb'],
    ['podinfo/a\u001bb'],
    ['podinfo/\u0085'],
    [`podinfo/${'a'.repeat(256)}`],
    [`podinfo/${'a/'.repeat(600)}b`],
    ['podinfo'],
  ])('is refused for the path %j', async (name) => {
    await expect(unpackEntries({ name, content: 'x' })).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it.each(['/etc/passwd', '../x', 'podinfo/\xff\xfe'])('is refused for the raw path %j', async (name) => {
    await expect(unpack(await withRawName(name))).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it.each<[string, Partial<Header>]>([
    ['a symbolic link', { type: 'symlink', linkname: '/etc/passwd' }],
    ['a symbolic link inside', { type: 'symlink', linkname: 'values.yaml' }],
    ['a hard link', { type: 'link', linkname: 'podinfo/Chart.yaml' }],
    ['a character device', { type: 'character-device', devmajor: 1, devminor: 5 }],
    ['a block device', { type: 'block-device' }],
    ['a pipe', { type: 'fifo' }],
  ])('is refused for %s', async (_, header) => {
    const unpacked = unpackEntries({ name: 'podinfo/templates/x', header });

    await expect(unpacked).rejects.toMatchObject({
      code: 'chart-refused',
      message: expect.stringContaining('helm package'),
    });
  });

  it.each<[string, readonly Entry[]]>([
    ['a file twice', [{ name: 'podinfo/a' }, { name: 'podinfo/a' }]],
    ['a file twice in two spellings', [{ name: 'podinfo/a' }, { name: './podinfo/./a' }]],
    ['a file that is a directory too', [{ name: 'podinfo/a' }, { name: 'podinfo/a/b' }]],
    ['a second directory at its top', [{ name: 'other/a' }]],
    ['a file beside its directory', [{ name: 'README.md', content: 'x' }]],
  ])('is refused with %s', async (_, entries) => {
    await expect(unpackEntries(...entries)).rejects.toMatchObject({ code: 'chart-refused' });
  });

  it.each<[string, () => Promise<Buffer> | Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['no gzip', () => Buffer.from('<html>not found</html>')],
    ['no tar', () => gzipSync('x'.repeat(2_000))],
    ['an empty tar', () => tgzOf([])],
    ['a cut gzip', async () => (await aChart()).subarray(0, 120)],
    [
      'a cut tar',
      async () => gzipSync((await tarOf([{ ...CHART, content: 'x'.repeat(5_000) }])).subarray(0, 2_000)),
    ],
    ['no Chart.yaml', () => tgzOf([{ name: 'podinfo/values.yaml' }])],
    ['an empty Chart.yaml', () => tgzOf([{ name: 'podinfo/Chart.yaml' }])],
    ['a broken Chart.yaml', () => tgzOf([{ name: 'podinfo/Chart.yaml', content: 'name: [' }])],
    ['a Chart.yaml without version', () => tgzOf([{ name: 'podinfo/Chart.yaml', content: 'name: podinfo' }])],
    ['a Chart.yaml that is a list', () => tgzOf([{ name: 'podinfo/Chart.yaml', content: '- a' }])],
  ])('rejects %s', async (_, build) => {
    await expect(unpack(await build())).rejects.toMatchObject({ code: 'chart-corrupt', retryable: false });
  });

  it('rejects a directory that has content, of which readers disagree where it ends', async () => {
    const tar = await tarOf([CHART, { name: 'podinfo/d', content: 'x'.repeat(600) }]);
    const at = tar.indexOf('podinfo/d');
    tar.write('5', at + 156);
    tar.fill(' ', at + 148, at + 156);
    const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);

    await expect(unpack(gzipSync(tar))).rejects.toMatchObject({ code: 'chart-corrupt' });
  });
});

describe('the limits of an archive', () => {
  it('rejects a gzip bomb before it is unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(150 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;

    await expect(unpack(bomb)).rejects.toMatchObject({ code: 'chart-too-large' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
  });

  it('rejects a tar bomb of large files', async () => {
    const files = Array.from({ length: 30 }, (_, at) => ({
      name: `podinfo/${at}`,
      content: Buffer.alloc(4 * 1024 * 1024),
    }));

    await expect(unpackEntries(...files)).rejects.toMatchObject({
      code: 'chart-too-large',
      message: expect.stringContaining('maxUnpackedBytes'),
    });
  });

  it('rejects a file that is too large, by what its header says', async () => {
    const unpacked = unpackEntries({ name: 'podinfo/big', content: Buffer.alloc(5 * 1024 * 1024 + 1) });

    await expect(unpacked).rejects.toMatchObject({
      code: 'chart-too-large',
      message: expect.stringContaining('"podinfo/big"'.replace('podinfo/', '')),
    });
  });

  it('rejects a Chart.yaml that is too large to be one', async () => {
    const content = `${chartYaml('podinfo', '1.2.3')}a: [${'[],'.repeat(400_000)}]\n`;

    const unpacked = unpack(await tgzOf([{ name: 'podinfo/Chart.yaml', content }]));

    await expect(unpacked).rejects.toMatchObject({ code: 'chart-too-large' });
  });

  it('rejects too many files, and too many directories', async () => {
    const files = Array.from({ length: 60 }, (_, at) => ({ name: `podinfo/${at}` }));
    const directories = files.map(({ name }) => ({
      name: `${name}/`,
      header: { type: 'directory' } as const,
    }));

    for (const entries of [files, directories]) {
      const unpacked = unpack(await tgzOf([CHART, ...entries]), { maxFiles: 50 });
      await expect(unpacked).rejects.toMatchObject({ code: 'chart-too-large' });
    }
  });

  it('rejects a header that never ends', async () => {
    const pax = { size: String(1e15) };

    const unpacked = unpackEntries({ name: 'podinfo/a', content: 'x', header: { pax } });

    await expect(unpacked).rejects.toMatchObject({
      code: expect.stringMatching(/^chart-(too-large|corrupt)$/),
    });
  });

  it.each(['-1', 'NaN', '0x10', ''])('rejects or reads the size %j without hanging', async (size) => {
    const unpacked = unpackEntries({ name: 'podinfo/a', content: 'x', header: { pax: { size } } });

    await expect(
      unpacked.then(
        () => 'read',
        (error: { readonly code: string }) => error.code,
      ),
    ).resolves.toMatch(/^(read|chart-corrupt)$/);
  });

  it('tells nothing of what is in the archive', async () => {
    const secret = 'hunter2-in-a-chart';

    const error: unknown = await unpack(
      await tgzOf([{ name: 'podinfo/Chart.yaml', content: `name: [${secret}` }]),
    ).catch((caught: unknown) => caught);

    expect(String(error)).not.toContain(secret);
  });
});
