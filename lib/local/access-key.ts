import { randomBytes } from 'node:crypto';

/** What stands for AWS credentials in one local installation. Random, so that no other user of the machine knows it. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function createAccessKey(): AccessKey {
  return {
    accessKeyId: `LOCAL${randomBytes(10).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
  };
}
