import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as z from 'zod/mini';
import { type Log, silentLog } from '../model/log.ts';
import type { AccessKey } from './access-key.ts';
import { closeServer, listenOnLoopback, LOOPBACK, readBody } from './loopback.ts';
import { openSecretFiles, type SecretFiles, type StoredSecret } from './secret-files.ts';
import { verifySignature } from './verify-signature.ts';

export interface SecretsServerOptions {
  /** Secrets are files in it; made 0700. */
  readonly directory: string;
  readonly accessKey: AccessKey;
  /** @default 0, any that is free */
  readonly port?: number;
  readonly log?: Log;
}

export interface SecretsServer {
  readonly port: number;
  readonly endpoint: string;
  close(): Promise<void>;
}

/** Secrets Manager's limit of one value is 64 KiB; the rest is room for JSON escapes. */
const MAX_REQUEST_BYTES = 512 * 1024;
const MAX_VALUE_BYTES = 65_536;
const ARN_PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:';

/**
 * The part of AWS Secrets Manager that Holdfast uses, over AWS JSON 1.1 on loopback: text values, one version each, no
 * recovery window. Every request must be signed with the installation's access key.
 */
export async function startSecretsServer(options: SecretsServerOptions): Promise<SecretsServer> {
  const files = await openSecretFiles(options.directory);
  const log = options.log ?? silentLog;
  // One after the other, so that a check and the write that depends on it belong together.
  const actInOrder = serialised((call: Call) => act(files, call));
  const server = createServer((request, response) => {
    answer(actInOrder, options.accessKey, request).then(
      (result) => send(response, result),
      (error: unknown) => {
        log.error('request to the secrets server failed', { error });
        send(response, failed(500, 'InternalServiceError', 'see the log of holdfast local'));
      },
    );
  });
  const port = await listenOnLoopback(server, options.port ?? 0);
  return { port, endpoint: `http://${LOOPBACK}:${port}`, close: () => closeServer(server) };
}

/** A request whose signature is right. */
interface Call {
  /** `secretsmanager.<operation>` */
  readonly target: string;
  readonly input: unknown;
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const nameSchema = z.string().check(z.regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/));
const valueSchema = z.string().check(
  z.minLength(1),
  z.refine((value) => Buffer.byteLength(value) <= MAX_VALUE_BYTES),
);
const bySecretId = z.object({ SecretId: nameSchema });
const createInput = z.object({ Name: nameSchema, SecretString: valueSchema });
const putInput = z.object({ SecretId: nameSchema, SecretString: valueSchema });
const deleteInput = z.object({ SecretId: nameSchema, ForceDeleteWithoutRecovery: z.literal(true) });
const listInput = z.object({
  MaxResults: z.optional(z.number().check(z.gte(1), z.lte(100))),
  NextToken: z.optional(z.string()),
  Filters: z.optional(
    z.array(z.object({ Key: z.literal('name'), Values: z.array(z.string()).check(z.minLength(1)) })),
  ),
});

async function answer(
  actInOrder: (call: Call) => Promise<Answer>,
  accessKey: AccessKey,
  request: IncomingMessage,
): Promise<Answer> {
  const body = await readBody(request, MAX_REQUEST_BYTES);
  if (body === undefined) {
    return failed(413, 'RequestTooLargeException', `a request has at most ${MAX_REQUEST_BYTES} bytes`);
  }
  const { method = '', url = '', headers } = request;
  const verdict = await verifySignature(accessKey, { method, url, headers, body });
  if (verdict.kind === 'refused') {
    return failed(400, 'UnrecognizedClientException', verdict.reason);
  }
  try {
    return await actInOrder({
      target: String(headers['x-amz-target']),
      input: JSON.parse(body.toString('utf8')),
    });
  } catch (error) {
    if (error instanceof z.core.$ZodError) {
      // Paths only: an issue must not quote a value.
      const paths = error.issues.map((issue) => issue.path.join('.'));
      return failed(400, 'InvalidParameterException', `missing or not supported here: ${paths.join(', ')}`);
    }
    if (error instanceof SyntaxError) {
      return failed(400, 'SerializationException', 'the body is not JSON');
    }
    throw error;
  }
}

async function act(files: SecretFiles, { target, input }: Call): Promise<Answer> {
  switch (target) {
    case 'secretsmanager.GetSecretValue': {
      const secret = await files.read(bySecretId.parse(input).SecretId);
      return secret === undefined
        ? notFound()
        : ok({
            ...identity(secret),
            VersionId: secret.versionId,
            VersionStages: ['AWSCURRENT'],
            SecretString: secret.value,
            CreatedDate: secret.changedAt / 1000,
          });
    }
    case 'secretsmanager.CreateSecret': {
      const { Name, SecretString } = createInput.parse(input);
      if ((await files.read(Name)) !== undefined) {
        return failed(400, 'ResourceExistsException', `the secret ${Name} exists already`);
      }
      return written(await files.write(Name, SecretString));
    }
    case 'secretsmanager.PutSecretValue': {
      const { SecretId, SecretString } = putInput.parse(input);
      const secret = await files.read(SecretId);
      return secret === undefined ? notFound() : written(await files.write(secret.name, SecretString));
    }
    case 'secretsmanager.DeleteSecret': {
      const secret = await files.read(deleteInput.parse(input).SecretId);
      if (secret === undefined) {
        return notFound();
      }
      await files.remove(secret.name);
      return ok({ ...identity(secret), DeletionDate: Date.now() / 1000 });
    }
    case 'secretsmanager.DescribeSecret': {
      const secret = await files.read(bySecretId.parse(input).SecretId);
      return secret === undefined ? notFound() : ok(described(secret));
    }
    case 'secretsmanager.ListSecrets':
      return list(files, listInput.parse(input));
    default:
      return failed(
        400,
        'UnknownOperationException',
        'the local secrets server does not have this operation',
      );
  }
}

async function list(files: SecretFiles, input: z.infer<typeof listInput>): Promise<Answer> {
  const all = await files.list();
  // As in AWS, a name filter matches prefixes, and every filter must match.
  const matching = all.filter(({ name }) =>
    (input.Filters ?? []).every(({ Values }) => Values.some((prefix) => name.startsWith(prefix))),
  );
  // The token is the last name of the page before, so that a page is right whatever changed in between.
  const after = input.NextToken;
  const rest = after === undefined ? matching : matching.filter(({ name }) => name > after);
  const page = rest.slice(0, input.MaxResults ?? 100);
  return ok({
    SecretList: page.map(described),
    ...(page.length < rest.length && { NextToken: page.at(-1)?.name }),
  });
}

function identity(secret: StoredSecret) {
  return { ARN: `${ARN_PREFIX}${secret.name}`, Name: secret.name };
}

function described(secret: StoredSecret) {
  return {
    ...identity(secret),
    CreatedDate: secret.createdAt / 1000,
    LastChangedDate: secret.changedAt / 1000,
    VersionIdsToStages: { [secret.versionId]: ['AWSCURRENT'] },
  };
}

function written(secret: StoredSecret): Answer {
  return ok({ ...identity(secret), VersionId: secret.versionId, VersionStages: ['AWSCURRENT'] });
}

function ok(body: Answer['body']): Answer {
  return { status: 200, body };
}

function notFound(): Answer {
  return failed(400, 'ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
}

function failed(status: number, type: string, message: string): Answer {
  return { status, body: { __type: type, message } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

function serialised<Input, Output>(
  work: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Output> {
  let last: Promise<unknown> = Promise.resolve();
  return (input) => {
    const next = last.then(() => work(input));
    last = next.catch(() => undefined);
    return next;
  };
}
