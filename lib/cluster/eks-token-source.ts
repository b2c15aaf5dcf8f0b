import { HoldfastError } from '../model/errors.ts';
import type { Sts } from './eks-sts.ts';
import { type AwsCredentials, signEksToken } from './eks-token.ts';

/** One way into one EKS cluster. */
export interface EksAccess {
  /** The name in Holdfast, for errors and for the session's name. */
  readonly cluster: string;
  readonly role: 'apply' | 'read';
  /** The name in EKS. */
  readonly clusterName: string;
  readonly region: string;
  readonly roleArn?: string;
  readonly externalId?: string;
}

export interface EksTokenSource {
  /**
   * A token with time left. Cheap while the last one has: it may be asked before every request.
   * `fresh` signs anew and assumes the role anew, after a 401; a second time within half a minute it does not.
   * @throws HoldfastError `kube-unauthorized`, `kube-unreachable`
   */
  get(access: EksAccess, options?: { readonly fresh?: boolean }): Promise<string>;
}

export interface EksTokenDeps {
  readonly sts: Sts;
  /** Told of every value that must not be shown, before it is used. */
  readonly onSecret?: (value: string) => void;
  /**
   * The wall clock in milliseconds: tokens are dated by it, and a frozen function wakes up with a monotonic clock that
   * may not have moved.
   */
  readonly now?: () => number;
}

/** An API server takes a token for fifteen minutes from its date, and clients count on fourteen. */
const TOKEN_MS = 14 * 60_000;
/** Signed anew this long before the end, so that no request leaves with a token about to expire. */
const TOKEN_MARGIN_MS = 2 * 60_000;
const CREDENTIALS_MARGIN_MS = 5 * 60_000;
/** A cluster that refuses a new token refuses the next one too: the caller is told so by getting the same again. */
const RENEWAL_PAUSE_MS = 30_000;
const LONGEST_SESSION_NAME = 64;

interface Signed {
  readonly token: string;
  readonly signedAt: number;
  readonly expiresAt: number;
}

/** Holds tokens and assumed roles in memory: one per process. */
export function createEksTokenSource(deps: EksTokenDeps): EksTokenSource {
  const now = deps.now ?? Date.now;
  const tokens = new Map<string, Signed>();
  const signing = new Map<string, Promise<Signed>>();
  const assumed = new Map<string, AwsCredentials>();

  async function sign(access: EksAccess, key: string, fresh: boolean): Promise<Signed> {
    const credentials = await credentialsOf(access, fresh);
    const signedAt = now();
    const { clusterName, region } = access;
    const token = await signEksToken({ clusterName, region, credentials, now: new Date(signedAt) });
    deps.onSecret?.(token);
    const end = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    const signed = { token, signedAt, expiresAt: Math.min(signedAt + TOKEN_MS, end) - TOKEN_MARGIN_MS };
    tokens.set(key, signed);
    return signed;
  }

  async function credentialsOf(access: EksAccess, fresh: boolean): Promise<AwsCredentials> {
    const { roleArn, externalId, region } = access;
    if (roleArn === undefined) return reveal(await own(access));
    const key = JSON.stringify([region, roleArn, externalId, sessionNameOf(access)]);
    const known = assumed.get(key);
    if (!fresh && known !== undefined && now() < endOf(known)) return known;
    try {
      const credentials = await deps.sts.assumeRole({
        region,
        roleArn,
        sessionName: sessionNameOf(access),
        ...(externalId === undefined ? {} : { externalId }),
      });
      assumed.set(key, reveal(credentials));
      return credentials;
    } catch (cause) {
      throw assumeError(access, roleArn, cause);
    }
  }

  async function own(access: EksAccess): Promise<AwsCredentials> {
    try {
      return await deps.sts.own();
    } catch (cause) {
      throw new HoldfastError(
        'kube-unauthorized',
        `cluster "${access.cluster}" (${access.role}): no AWS credentials to sign its token with (${nameOf(cause)}): in a function the role gives them, elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID`,
        { retryable: true, cause },
      );
    }
  }

  function reveal(credentials: AwsCredentials): AwsCredentials {
    deps.onSecret?.(credentials.secretAccessKey);
    if (credentials.sessionToken !== undefined) deps.onSecret?.(credentials.sessionToken);
    return credentials;
  }

  return {
    async get(access, options = {}) {
      const key = JSON.stringify(access);
      const known = tokens.get(key);
      const fresh = options.fresh === true && now() >= (known?.signedAt ?? 0) + RENEWAL_PAUSE_MS;
      if (known !== undefined && !fresh && now() < known.expiresAt) return known.token;
      const running = signing.get(key) ?? sign(access, key, fresh).finally(() => signing.delete(key));
      signing.set(key, running);
      return (await running).token;
    },
  };
}

function endOf(credentials: AwsCredentials): number {
  return (credentials.expiration?.getTime() ?? 0) - CREDENTIALS_MARGIN_MS;
}

function sessionNameOf(access: EksAccess): string {
  return `holdfast-${access.role}-${access.cluster}`
    .replace(/[^\w+=,.@-]/g, '-')
    .slice(0, LONGEST_SESSION_NAME);
}

function assumeError(access: EksAccess, roleArn: string, cause: unknown): HoldfastError {
  const name = nameOf(cause);
  const where = `cluster "${access.cluster}" (${access.role}): the role ${roleArn} could not be assumed (${name})`;
  if (/AccessDenied|InvalidClientTokenId|UnrecognizedClient|ExpiredToken/.test(name)) {
    const externalId = access.externalId === undefined ? '' : ' under this external id';
    return new HoldfastError(
      'kube-unauthorized',
      `${where}: its trust policy must allow the caller${externalId}, and the caller's own policy sts:AssumeRole on it (addEksCluster in the stack)`,
      { retryable: true, details: { roleArn }, cause },
    );
  }
  return new HoldfastError('kube-unreachable', `${where}: STS in ${access.region} must be reachable`, {
    retryable: true,
    details: { roleArn },
    cause,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
