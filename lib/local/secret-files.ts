import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { sha256 } from '../model/ids.ts';
import { readFileIfPresent, syncDirectory, writeFileAtomically } from './atomic-file.ts';

const storedSecretSchema = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  value: z.string(),
  versionId: z.string(),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
  changedAt: z.number(),
});

export type StoredSecret = Readonly<z.infer<typeof storedSecretSchema>>;

/** Secrets as files of mode 0600 in a directory of mode 0700, named by the hash of the secret's name. */
export interface SecretFiles {
  read(name: string): Promise<StoredSecret | undefined>;
  /** Creates or replaces. */
  write(name: string, value: string): Promise<StoredSecret>;
  /** false: there was none. */
  remove(name: string): Promise<boolean>;
  /** Sorted by name. */
  list(): Promise<readonly StoredSecret[]>;
}

export async function openSecretFiles(directory: string, now: () => number = Date.now): Promise<SecretFiles> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  for (const file of await readdir(directory)) {
    if (file.endsWith('.tmp')) {
      // Left by a process that died while writing.
      await rm(join(directory, file), { force: true });
    }
  }

  const pathOf = (name: string) => join(directory, `${sha256(name)}.json`);
  const read = (name: string) => readSecret(pathOf(name));
  return {
    read,
    async write(name, value) {
      const at = now();
      const createdAt = (await read(name))?.createdAt ?? at;
      const secret: StoredSecret = {
        schema: 1,
        name,
        value,
        versionId: randomUUID(),
        createdAt,
        changedAt: at,
      };
      await writeFileAtomically(pathOf(name), JSON.stringify(secret));
      return secret;
    },
    async remove(name) {
      const found = (await read(name)) !== undefined;
      await rm(pathOf(name), { force: true });
      await syncDirectory(directory);
      return found;
    },
    async list() {
      const files = (await readdir(directory)).filter((file) => file.endsWith('.json'));
      const secrets = await Promise.all(files.map((file) => readSecret(join(directory, file))));
      return secrets
        .filter((secret) => secret !== undefined)
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },
  };
}

async function readSecret(path: string): Promise<StoredSecret | undefined> {
  const text = await readFileIfPresent(path);
  return text === undefined ? undefined : parseSecret(path, text);
}

function parseSecret(path: string, text: string): StoredSecret {
  try {
    return storedSecretSchema.parse(JSON.parse(text));
  } catch {
    // No cause: the parser's message quotes the content.
    throw new Error(`secret file ${path} is damaged: delete it and write the secret again`);
  }
}
