import type { KubeApi } from '../cluster/kube-api.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import type { Application, ExternalValue } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { LiveObject } from '../model/resource.ts';
import type { RecordedInputs } from '../model/target-state.ts';
import type { ExternalContent, RenderInput } from '../render/renderer.ts';
import { parseAgeIdentities } from '../render/sops/data-key.ts';
import type { SopsKeys } from '../render/sops/data-key.ts';
import { usesHelm } from '../render/uses-helm.ts';
import type { SecretVersions } from '../secrets/secret-store.ts';
import type { FileTree } from '../source/file-tree.ts';
import { decryptionKey, neededValues, versionOfObject } from './external-refs.ts';
import { contentOfObject, contentOfText } from './external-content.ts';
import { ABSENT, capabilitiesOf, recordInputs } from './record-inputs.ts';

export interface ReadInputsDeps {
  readonly secrets: Pick<SecretVersions, 'getVersioned'>;
  /** Asks AWS KMS. Absent: `spec.decryption.kms` opens nothing. */
  readonly decryptDataKey?: NonNullable<SopsKeys['decryptDataKey']>;
}

export interface ReadInputsInput {
  readonly application: Application;
  readonly files: FileTree;
  /** Asked for only if something is needed of the destination. */
  readonly connect: () => Promise<KubeApi>;
  readonly deadline: number;
  /** Told what was found, whether or not it is enough to render. */
  readonly onRecorded?: (inputs: RecordedInputs) => void;
}

export type OutsideInputs = Pick<RenderInput, 'values' | 'keys' | 'kubeVersion' | 'apiVersions'>;

const CONCURRENCY = 4;

interface Found {
  readonly content: ExternalContent;
  readonly version: string;
}

/**
 * What a render needs beside the files of its commit: values and keys, and for helm what the destination is and serves.
 *
 * @throws HoldfastError `value-missing` naming every value that does not exist; `secret-missing` for a decryption key.
 * Both are tried again with back-off, since no commit can mend them. `render-limit`; KubeError
 */
export async function readInputs(deps: ReadInputsDeps, input: ReadInputsInput): Promise<OutsideInputs> {
  const { application, deadline } = input;
  const { decryption } = application.render;
  const values = new Map<string, ExternalContent>();
  const versions = new Map<string, string>();
  const missing: string[] = [];
  await forEachPooled(neededValues(application), CONCURRENCY, async ({ key, value, ref }) => {
    const kube = ref === undefined ? undefined : await input.connect();
    const object = ref && (await kube?.get(ref, { deadline }));
    const found = ref === undefined ? await readSecret(deps, value) : object && readObject(object, key);
    versions.set(key, found?.version ?? ABSENT);
    if (found !== undefined) values.set(key, found.content);
    else if (value.optional !== true) missing.push(nameOf(value, ref?.namespace, kube));
  });
  const identities =
    decryption?.age === undefined ? undefined : await tryVersioned(deps, 'decryption', decryption.age);
  if (decryption?.age !== undefined)
    versions.set(decryptionKey(decryption.age), identities?.version ?? ABSENT);
  const capabilities = usesHelm(application, input.files)
    ? await capabilitiesOf(await input.connect(), deadline)
    : undefined;
  const recorded = recordInputs(versions, capabilities);
  if (recorded !== undefined) input.onRecorded?.(recorded);
  if (missing.length > 0) throw valueMissing(missing);
  if (decryption?.age !== undefined && identities === undefined) throw keyMissing(decryption.age);
  return {
    ...(values.size === 0 ? {} : { values }),
    ...(decryption === undefined ? {} : { keys: keysOf(deps, decryption.kms, identities?.value) }),
    ...(capabilities === undefined ? {} : capabilities),
  };
}

function keysOf(
  { decryptDataKey }: ReadInputsDeps,
  kms: boolean | undefined,
  identities: string | undefined,
): SopsKeys {
  return {
    ageIdentities: identities === undefined ? [] : parseAgeIdentities(identities),
    ...(kms === true && decryptDataKey !== undefined ? { decryptDataKey } : {}),
  };
}

async function readSecret(deps: ReadInputsDeps, { name }: ExternalValue): Promise<Found | undefined> {
  const secret = await tryVersioned(deps, 'values', name);
  if (secret === undefined) return undefined;
  const { value, version } = secret;
  return { version, content: contentOfText(name, value) };
}

async function tryVersioned(deps: ReadInputsDeps, role: 'values' | 'decryption', name: string) {
  try {
    return await deps.secrets.getVersioned(role, name);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'secret-missing') return undefined;
    throw error;
  }
}

function readObject(object: LiveObject, key: string): Found {
  return { version: versionOfObject(object), content: contentOfObject(object, key) };
}

function nameOf({ kind, name }: ExternalValue, namespace: string | undefined, kube?: KubeApi): string {
  return namespace === undefined
    ? `secret "${name}" in the role values (holdfast secret set values ${name})`
    : `${kind} ${namespace}/${name} on cluster "${kube?.cluster}"`;
}

function valueMissing(missing: readonly string[]): HoldfastError {
  const many = missing.length > 1;
  return new HoldfastError(
    'value-missing',
    `${missing.toSorted().join(', ')}: ${many ? 'they do' : 'it does'} not exist, and the application takes values from ${many ? 'them' : 'it'}: create ${many ? 'them' : 'it'}, or say "optional: true" where ${many ? 'they are' : 'it is'} named`,
    { details: { missing } },
  );
}

function keyMissing(name: string): HoldfastError {
  return new HoldfastError(
    'secret-missing',
    `spec.decryption.age: there is no secret "${name}" in the role decryption: store the age identities with "holdfast secret set decryption ${name}"`,
    { details: { secret: name } },
  );
}
