import type { STSClient } from '@aws-sdk/client-sts';
import type { AwsCredentials } from './eks-token.ts';

export interface AssumeRoleInput {
  readonly region: string;
  readonly roleArn: string;
  readonly externalId?: string;
  /** Seen in CloudTrail of the account whose role it is. */
  readonly sessionName: string;
}

/** What is needed of AWS to sign: the process's own credentials, and those of a role. */
export interface Sts {
  own(): Promise<AwsCredentials>;
  /** @throws what the SDK throws, after its own retries */
  assumeRole(input: AssumeRoleInput): Promise<AwsCredentials>;
}

const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 5_000;
const SESSION_SECONDS = 3_600;

/**
 * STS through the AWS SDK, loaded at first use: installations without EKS clusters never load it. The process's own
 * credentials are found as the SDK finds them (the function's role; on a workstation environment and profiles).
 */
export function awsSts(): Sts {
  const clients = new Map<string, STSClient>();

  async function clientOf(region: string): Promise<STSClient> {
    const { STSClient } = await import('@aws-sdk/client-sts');
    const client =
      clients.get(region) ??
      new STSClient({
        region,
        requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
      });
    clients.set(region, client);
    return client;
  }

  return {
    async own() {
      // Any region: looking credentials up asks no regional service of ours.
      const [known] = clients.values();
      return (known ?? (await clientOf('us-east-1'))).config.credentials();
    },
    async assumeRole(input) {
      const client = await clientOf(input.region);
      const { AssumeRoleCommand } = await import('@aws-sdk/client-sts');
      const { Credentials } = await client.send(
        new AssumeRoleCommand({
          RoleArn: input.roleArn,
          RoleSessionName: input.sessionName,
          DurationSeconds: SESSION_SECONDS,
          ...(input.externalId === undefined ? {} : { ExternalId: input.externalId }),
        }),
      );
      if (Credentials?.AccessKeyId === undefined || Credentials.SecretAccessKey === undefined) {
        throw new Error('AssumeRole answered without credentials');
      }
      return {
        accessKeyId: Credentials.AccessKeyId,
        secretAccessKey: Credentials.SecretAccessKey,
        ...(Credentials.SessionToken === undefined ? {} : { sessionToken: Credentials.SessionToken }),
        ...(Credentials.Expiration === undefined ? {} : { expiration: Credentials.Expiration }),
      };
    },
  };
}
