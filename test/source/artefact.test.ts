import { brotliCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { sha256 } from '../../lib/model/ids.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import type { Closure } from '../../lib/source/closure.ts';
import { memoryCommit } from '../support/memory-commit.ts';

async function packed(files: Readonly<Record<string, Uint8Array>>, limits = {}) {
  const reader = memoryCommit(files);
  const entries = [];
  for (const [path, content] of Object.entries(files)) {
    const tree = await reader.readTree(reader.rootTree);
    entries.push({
      path,
      type: 'blob' as const,
      oid: tree.find(({ name }) => name === path)?.oid ?? String(content),
    });
  }
  const closure: Closure = { digest: sha256(''), entries, readBlob: (oid) => reader.readBlob(oid) };
  return packArtefact(closure, limits);
}

function compressed(text: string) {
  const bytes = brotliCompressSync(Buffer.from(text));
  return { digest: sha256(bytes), bytes };
}

describe('artefacts', () => {
  it('come back byte for byte, whatever is in them', async () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, fc.uint8Array({ maxLength: 300 })), async (files) => {
        const { digest, bytes } = await packed(files);

        const tree = unpackArtefact(digest, bytes);

        expect(tree.paths).toEqual(Object.keys(files).sort());
        for (const path of tree.paths) {
          expect(Buffer.from(tree.read(path) ?? []).equals(Buffer.from(files[path] ?? []))).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are the same bytes for the same files, and their digest is of these bytes', async () => {
    const files = { a: Buffer.from('1'), b: Buffer.from('2') };

    const one = await packed(files);
    const other = await packed(files);

    expect(Buffer.from(other.bytes).equals(Buffer.from(one.bytes))).toBe(true);
    expect(one.digest).toBe(sha256(one.bytes));
  });

  it('rejects a file, and files together, beyond the limits', async () => {
    const files = { a: Buffer.alloc(60), b: Buffer.alloc(60, 1) };

    await expect(packed(files, { maxFileBytes: 50 })).rejects.toMatchObject({
      code: 'git-too-large',
      message: expect.stringContaining('a has 60 bytes'),
    });
    await expect(packed(files, { maxTotalBytes: 100 })).rejects.toMatchObject({ code: 'git-too-large' });
  });

  it('rejects bytes with another digest', async () => {
    const { digest, bytes } = await packed({ a: Buffer.from('1') });
    const flipped = Uint8Array.from(bytes, (byte, index) => (index === 0 ? byte ^ 1 : byte));

    expect(() => unpackArtefact(digest, flipped)).toThrow(expect.objectContaining({ code: 'git-corrupt' }));
  });

  it('rejects what decompresses to more than it may', () => {
    const bytes = brotliCompressSync(Buffer.alloc(64 * 1024 * 1024));

    expect(() => unpackArtefact(sha256(bytes), bytes, { maxTotalBytes: 1024 })).toThrow(
      expect.objectContaining({ code: 'git-too-large' }),
    );
  });

  it.each([
    ['nothing', ''],
    ['no listing', 'hello'],
    ['another form', '{"artefact":2,"files":[]}\n'],
    ['a path out of it', '{"artefact":1,"files":[{"path":"../x","size":0}]}\n'],
    ['an absolute path', '{"artefact":1,"files":[{"path":"/x","size":0}]}\n'],
    ['a path into .git', '{"artefact":1,"files":[{"path":"a/.GIT/config","size":0}]}\n'],
    ['a path twice', '{"artefact":1,"files":[{"path":"x","size":0},{"path":"x","size":0}]}\n'],
    ['a negative size', '{"artefact":1,"files":[{"path":"x","size":-1}]}\n'],
    ['less than it lists', '{"artefact":1,"files":[{"path":"x","size":2}]}\na'],
    ['more than it lists', '{"artefact":1,"files":[{"path":"x","size":1}]}\nab'],
  ])('rejects %s', (_, text) => {
    const { digest, bytes } = compressed(text);

    expect(() => unpackArtefact(digest, bytes)).toThrow(expect.objectContaining({ code: 'git-corrupt' }));
  });

  it('rejects bytes that are not compressed at all', () => {
    const bytes = Buffer.from('plain text');

    expect(() => unpackArtefact(sha256(bytes), bytes)).toThrow(
      expect.objectContaining({ code: 'git-corrupt' }),
    );
  });
});
