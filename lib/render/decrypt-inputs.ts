import { HoldfastError } from '../model/errors.ts';
import type { Json, JsonObject, KubeObject, Manifest } from '../model/resource.ts';
import type { FileTree } from '../source/file-tree.ts';
import { describeObject } from './describe-object.ts';
import type { RenderLimits } from './limits.ts';
import { decodeText, isObject } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import { isLeftEncrypted } from './refuse-encrypted.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';
import type { SecretTexts } from './secret-texts.ts';
import type { SopsKeys } from './sops/data-key.ts';
import { decryptSops, isSopsFile, sopsFormatOf } from './sops/decrypt-sops.ts';
import type { SopsFormat } from './sops/decrypt-sops.ts';

/** The limit of Flux. */
const MAX_ENCRYPTED_BYTES = 5 * 1024 * 1024;

interface Context {
  readonly keys: SopsKeys;
  readonly secrets: SecretTexts;
  readonly limits: RenderLimits;
}

/**
 * The same files, with what SOPS encrypted in plain text, in memory: whatever reads them next, a tool in its private
 * directory included, sees them as if they had never been encrypted. A file that cannot be decrypted fails when it is
 * read, and not before: a chart may carry one that the render never looks at.
 *
 * Files that hold an object with the annotation `kustomize.toolkit.fluxcd.io/decrypt: disabled` stay as they are.
 */
export async function decryptFiles(files: FileTree, context: Context): Promise<FileTree> {
  const plain = new Map<string, Uint8Array>();
  const faults: RenderFault[] = [];
  const faulty = new Set<string>();
  for (const path of files.paths) {
    const bytes = files.read(path);
    if (bytes === undefined || !mayBeEncrypted(bytes)) continue;
    const format = formatOf(path, bytes);
    if (format === undefined || isKept(bytes, format, context.limits)) continue;
    try {
      plain.set(path, await decrypt(bytes, format, path, context));
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.retryable) throw error;
      faulty.add(path);
      faults.push({ origin: { file: path }, message: error.message });
    }
  }
  if (plain.size === 0 && faults.length === 0) return files;
  return {
    paths: files.paths,
    read: (path) => {
      if (faulty.has(path)) throw renderFaultsError(faults);
      return plain.get(path) ?? files.read(path);
    },
  };
}

/**
 * Files that SOPS encrypted and that stand in a Secret as its content are decrypted there, as Flux does: the format is
 * that of the key's extension.
 *
 * @throws HoldfastError `render-failed` naming every Secret whose content does not decrypt
 */
export async function decryptSecrets(
  manifests: readonly Manifest[],
  context: Context,
): Promise<readonly Manifest[]> {
  const faults: RenderFault[] = [];
  const decrypted: Manifest[] = [];
  for (const manifest of manifests) {
    const { object, origin } = manifest;
    if (object.kind !== 'Secret' || isLeftEncrypted(object)) {
      decrypted.push(manifest);
      continue;
    }
    const from = describeObject(object);
    const read = async (key: string, bytes: Uint8Array): Promise<Uint8Array | undefined> => {
      if (!mayBeEncrypted(bytes)) return undefined;
      const format = formatOf(key, bytes);
      if (format === undefined) return undefined;
      try {
        return await decrypt(bytes, format, `${origin.file} (${from})`, context);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.retryable) throw error;
        faults.push({ origin, message: `${from}: data.${key}: ${error.message}` });
        return undefined;
      }
    };
    decrypted.push({ ...manifest, object: await withPlainData(object, read) });
  }
  if (faults.length > 0) throw renderFaultsError(faults);
  return decrypted;
}

async function withPlainData(
  object: KubeObject,
  read: (key: string, bytes: Uint8Array) => Promise<Uint8Array | undefined>,
): Promise<KubeObject> {
  const { data, stringData } = object as { readonly data?: Json; readonly stringData?: Json };
  const changes: { data?: JsonObject; stringData?: JsonObject } = {};
  for (const [key, value] of entriesOf(data)) {
    const plain = await read(key, Buffer.from(value, 'base64'));
    if (plain !== undefined)
      changes.data = {
        ...(changes.data ?? (data as JsonObject)),
        [key]: Buffer.from(plain).toString('base64'),
      };
  }
  for (const [key, value] of entriesOf(stringData)) {
    const plain = await read(key, Buffer.from(value));
    const text = plain === undefined ? undefined : decodeText(plain);
    if (text !== undefined)
      changes.stringData = { ...(changes.stringData ?? (stringData as JsonObject)), [key]: text };
  }
  return { ...object, ...changes };
}

function entriesOf(map: Json | undefined): readonly (readonly [string, string])[] {
  if (!isObject(map)) return [];
  return Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
}

async function decrypt(
  bytes: Uint8Array,
  format: SopsFormat,
  from: string,
  { keys, secrets }: Context,
): Promise<Uint8Array> {
  if (bytes.byteLength > MAX_ENCRYPTED_BYTES) {
    throw new HoldfastError(
      'render-limit',
      `${bytes.byteLength} bytes encrypted with SOPS, at most ${MAX_ENCRYPTED_BYTES} are decrypted: split it`,
    );
  }
  return await decryptSops(bytes, format, keys, (text) => secrets.add(text, from));
}

/** Cheap, and true for every encrypted file. */
function mayBeEncrypted(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.includes('ENC[AES256_GCM,') && isSopsFile(bytes);
}

/**
 * By the name, as SOPS does. A name that says nothing stands for a binary file or, as in Flux, for the variables of a
 * generator; what looks like neither only talks about SOPS.
 */
function formatOf(path: string, bytes: Uint8Array): SopsFormat | undefined {
  const format = sopsFormatOf(path);
  const text = Buffer.from(bytes).toString('latin1');
  if (format === 'yaml' || format === 'json')
    return /(?:^|[\s{,])["']?sops["']?\s*:/.test(text) ? format : undefined;
  if (format === 'dotenv') return format;
  if (/^\s*\{[^]*"sops"\s*:/.test(text)) return 'binary';
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines.every((line) => line.includes('=')) && /^sops_mac=/m.test(text) ? 'dotenv' : undefined;
}

function isKept(bytes: Uint8Array, format: SopsFormat, limits: RenderLimits): boolean {
  if (format !== 'yaml' && format !== 'json') return false;
  const text = decodeText(bytes);
  if (text === undefined || !text.includes('kustomize.toolkit.fluxcd.io/decrypt')) return false;
  return parseYaml(text, { limits }).some(
    (document) => document.ok && isObject(document.value) && isLeftEncrypted(document.value),
  );
}
