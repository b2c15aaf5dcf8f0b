import { HoldfastError } from '../model/errors.ts';
import { chartFailure, unreachable } from './chart-errors.ts';

/** What GetAuthorizationToken answers: base64 of `AWS:<password>`, for every registry of the region that the role may read. */
export interface EcrToken {
  readonly authorizationToken: string;
  readonly expiresAt: Date;
}

/** @throws what the SDK throws, after its own retries */
export type GetEcrToken = (input: { readonly region: string }) => Promise<EcrToken>;

/** The Authorization header for an ECR host. `fresh` asks again even if the known token has time left. */
export type EcrAuthorization = (host: string, options?: { readonly fresh?: boolean }) => Promise<string>;

const ECR_HOST = /^\d{12}\.dkr\.ecr(?:-fips)?\.([a-z]{2}(?:-[a-z0-9]+)+-\d)\.amazonaws\.com(?:\.cn)?$/;
const EARLY_MS = 5 * 60_000;
const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;

/** @returns undefined for any other host. These names are AWS's own, so that no one else is ever given the token. */
export function ecrRegion(host: string): string | undefined {
  return ECR_HOST.exec(host)?.[1];
}

/** Tokens are kept until five minutes before they expire; concurrent callers share a request. */
export function ecrAuthorization(deps: {
  readonly getToken: GetEcrToken;
  /** Milliseconds since 1970, for what AWS says of a token's end. */
  readonly now: () => number;
}): EcrAuthorization {
  const tokens = new Map<string, Promise<EcrToken>>();

  return async (host, { fresh = false } = {}) => {
    const region = ecrRegion(host);
    if (region === undefined) throw new Error(`${host} is no host of Amazon ECR`);
    const known = fresh ? undefined : await tokens.get(region)?.catch(() => undefined);
    if (known !== undefined && known.expiresAt.getTime() - EARLY_MS > deps.now()) return basic(known);
    const asked = deps.getToken({ region });
    tokens.set(region, asked);
    try {
      return basic(await asked);
    } catch (cause) {
      if (tokens.get(region) === asked) tokens.delete(region);
      throw tokenError(host, cause);
    }
  };
}

function basic({ authorizationToken }: EcrToken): string {
  return `Basic ${authorizationToken}`;
}

function tokenError(host: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  const name = cause instanceof Error ? cause.name : 'unknown reason';
  if (/AccessDenied|UnrecognizedClient|InvalidClientTokenId|ExpiredToken|CredentialsProvider/.test(name)) {
    return chartFailure(
      'chart-authentication',
      `oci://${host}`,
      `no authorization token from Amazon ECR (${name}): allow the role ecr:GetAuthorizationToken, ` +
        'ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, or name a secret in the role chart',
    );
  }
  return unreachable(`oci://${host}: the authorization token of Amazon ECR`, name, cause);
}

/** Through the AWS SDK, loaded at first use: installations without charts in ECR never load it. */
export const awsEcrToken: GetEcrToken = async ({ region }) => {
  const { ECRClient, GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr');
  const client = new ECRClient({
    region,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  });
  try {
    const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
    const [data] = authorizationData ?? [];
    if (data?.authorizationToken === undefined || data.expiresAt === undefined) {
      throw new Error('GetAuthorizationToken answered without a token');
    }
    return { authorizationToken: data.authorizationToken, expiresAt: data.expiresAt };
  } finally {
    client.destroy();
  }
};
