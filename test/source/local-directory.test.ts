import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { localDirectoryReader, readLocalDirectory } from '../../lib/source/local-directory.ts';

let parent: string;
let directory: string;

beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), 'holdfast-local-'));
  directory = path.join(parent, 'repository');
  await mkdir(path.join(directory, '.git'), { recursive: true });
  await mkdir(path.join(directory, 'app'));
  await writeFile(path.join(directory, '.git', 'config'), 'secret');
  await writeFile(path.join(directory, 'app', 'a.yaml'), 'a: 1');
  await writeFile(path.join(parent, 'outside.yaml'), 'outside');
});

afterEach(() => rm(parent, { recursive: true, force: true }));

describe('readLocalDirectory', () => {
  it('gives every file by its path, without .git', async () => {
    await writeFile(path.join(directory, 'b.txt'), 'b');
    await symlink('a.yaml', path.join(directory, 'app', 'link.yaml'));

    const tree = await readLocalDirectory(directory);

    expect(tree.paths).toEqual(['app/a.yaml', 'app/link.yaml', 'b.txt']);
    expect(Buffer.from(tree.read('app/link.yaml') ?? '').toString()).toBe('a: 1');
    expect(tree.read('.git/config')).toBeUndefined();
    expect(tree.read('../outside.yaml')).toBeUndefined();
  });

  it.each([
    ['leaves it', '../../outside.yaml'],
    ['is absolute', '/etc/hostname'],
    ['leads nowhere', 'nowhere'],
    ['leads to a directory', '.'],
  ])('refuses a link that %s', async (_, target) => {
    await symlink(target, path.join(directory, 'app', 'link.yaml'));

    await expect(readLocalDirectory(directory)).rejects.toMatchObject({
      code: 'render-refused',
      message: expect.stringContaining('app/link.yaml'),
    });
  });

  it('rejects a directory that is not there', async () => {
    await expect(readLocalDirectory(path.join(directory, 'x'))).rejects.toMatchObject({
      code: 'path-missing',
    });
  });
});

describe('localDirectoryReader', () => {
  it('reads a directory like a commit', async () => {
    await symlink('/etc/hostname', path.join(directory, 'app', 'link.yaml'));
    const reader = await localDirectoryReader(directory);

    const root = await reader.readTree(reader.rootTree);
    const app = await reader.readTree(root[0]?.oid ?? '');

    expect(root.map(({ name, type }) => `${type} ${name}`)).toEqual(['tree app']);
    expect(app.map(({ name, type }) => `${type} ${name}`)).toEqual(['blob a.yaml', 'symlink link.yaml']);
    expect(Buffer.from(await reader.readBlob(app[0]?.oid ?? '')).toString()).toBe('a: 1');
  });

  it('refuses to read what it has not listed, and links', async () => {
    await symlink('/etc/hostname', path.join(directory, 'app', 'link.yaml'));
    const reader = await localDirectoryReader(directory);
    await reader.readTree(reader.rootTree);
    const app = await reader.readTree('app');

    await expect(reader.readBlob('../outside.yaml')).rejects.toMatchObject({ code: 'path-missing' });
    await expect(reader.readBlob(app[1]?.oid ?? '')).rejects.toMatchObject({ code: 'render-refused' });
  });
});
