import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../model/errors.ts';
import type { SourceId } from '../model/ids.ts';
import type { Source, WebhookProvider } from '../model/source.ts';
import type { RegisterDeps } from './deps.ts';
import { parseName } from './names.ts';

export interface SourceInput {
  readonly name: string;
  readonly url: string;
  readonly provider: WebhookProvider;
  /** Absent: anonymous. */
  readonly credential?: { readonly token: string } | { readonly username: string; readonly password: string };
  /** Absent: one is made for a new source, and that of a known source stays. */
  readonly webhookSecret?: string;
  readonly allowHttp?: boolean;
  readonly allowPrivateNetwork?: boolean;
  /** Takes the place of what is registered under this name; its former webhook secret stays valid beside a new one. */
  readonly replace?: boolean;
}

export interface AddedSource {
  readonly source: Source;
  readonly replaced: boolean;
  /** Set when it was made here: the one moment at which it can be shown. */
  readonly generatedSecret?: string;
}

/** Shorter ones can be guessed from one delivery that somebody has seen. */
const MIN_SECRET_LENGTH = 16;

/**
 * Registers a Git repository. Its secrets are stored before the source that names them, and the ones that are no longer
 * named are removed after it, so that at no time a registered source lacks one.
 * @throws HoldfastError `invalid-input`; what the stores throw
 */
export async function addSource(deps: RegisterDeps, input: SourceInput): Promise<AddedSource> {
  const id = parseName<SourceId>('source', input.name);
  const url = parseSourceUrl(input);
  if (input.webhookSecret !== undefined && input.webhookSecret.length < MIN_SECRET_LENGTH) {
    throw new HoldfastError(
      'invalid-input',
      `the webhook secret has ${input.webhookSecret.length} characters: use at least ${MIN_SECRET_LENGTH}, or leave it out and one is made`,
    );
  }
  const known = await deps.state.getSource(id);
  if (known !== undefined && input.replace !== true) {
    throw new HoldfastError(
      'invalid-input',
      `source "${id}" is registered already, for ${known.url}: choose another name, or give --replace`,
    );
  }
  const kept = known?.webhookSecrets ?? [];
  const made = input.webhookSecret === undefined && kept.length === 0 ? newWebhookSecret() : undefined;
  const webhookSecret = input.webhookSecret ?? made;
  const webhookSecrets = webhookSecret === undefined ? kept : [`${id}-${deps.newId()}`, ...kept.slice(0, 1)];
  const [webhookName] = webhookSecrets;
  if (webhookSecret !== undefined && webhookName !== undefined) {
    await deps.secrets.put('webhook', webhookName, webhookSecret);
  }
  const gitSecret = input.credential === undefined ? undefined : `${id}-${deps.newId()}`;
  if (gitSecret !== undefined) await deps.secrets.put('git', gitSecret, JSON.stringify(input.credential));

  const source: Source = {
    schema: 1,
    id,
    url,
    provider: input.provider,
    webhookSecrets,
    ...(gitSecret === undefined ? {} : { gitSecret }),
    ...(input.allowHttp === true ? { allowHttp: true } : {}),
    ...(input.allowPrivateNetwork === true ? { allowPrivateNetwork: true } : {}),
  };
  await deps.state.putSource(source);
  await removeUnused(deps, known, source);
  // Roots and applications may have been waiting for it.
  await deps.queue.send([{ v: 1, kind: 'source', source: id, reason: 'registered' }]);
  return {
    source,
    replaced: known !== undefined,
    ...(made === undefined ? {} : { generatedSecret: made }),
  };
}

function newWebhookSecret(): string {
  return randomBytes(32).toString('base64url');
}

async function removeUnused(deps: RegisterDeps, before: Source | undefined, now: Source): Promise<void> {
  for (const name of before?.webhookSecrets ?? []) {
    if (!now.webhookSecrets.includes(name)) await deps.secrets.delete('webhook', name);
  }
  if (before?.gitSecret !== undefined && before.gitSecret !== now.gitSecret) {
    await deps.secrets.delete('git', before.gitSecret);
  }
}

/** @throws HoldfastError `invalid-input`; the URL is not repeated where it may hold a password */
function parseSourceUrl(input: SourceInput): string {
  let url: URL;
  try {
    url = new URL(input.url);
  } catch {
    throw new HoldfastError('invalid-input', '--url is not a URL: give it as https://host/owner/repository');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new HoldfastError(
      'invalid-input',
      `--url has the scheme "${url.protocol}": only https:// is spoken (and http:// with --allow-http)`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new HoldfastError(
      'invalid-input',
      '--url holds a user name or password: leave it out and give --token-file, or --username with --password-file',
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new HoldfastError('invalid-input', '--url has a query or fragment: a repository has none');
  }
  if (url.protocol === 'http:' && input.allowHttp !== true) {
    throw new HoldfastError(
      'invalid-input',
      `--url is plain http, which anybody on the way can change: use https://${url.host}${url.pathname}, or give --allow-http`,
    );
  }
  return url.href.replace(/\/+$/, '');
}
