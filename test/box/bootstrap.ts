import { request } from 'node:http';
import { pathToFileURL } from 'node:url';

// The Node runtime of an execution environment: it runs alone, inside, and may import nothing of the repository.

const environment = process.env;
const [host = '', port = ''] = (environment['AWS_LAMBDA_RUNTIME_API'] ?? '').split(':');
const PREFIX = '/2018-06-01/runtime';

interface Answer {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

type Handler = (event: unknown, context: unknown) => Promise<unknown>;

function call(method: string, path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path: `${PREFIX}${path}` }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function describe(error: unknown): string {
  return error instanceof Error
    ? JSON.stringify({
        errorType: error.name,
        errorMessage: error.message,
        trace: error.stack?.split('\n') ?? [],
      })
    : JSON.stringify({ errorType: typeof error, errorMessage: String(error) });
}

/** `index.handler` of the task directory. */
async function load(): Promise<Handler> {
  const [file = '', name = ''] = (environment['_HANDLER'] ?? '').split('.');
  const url = pathToFileURL(`${environment['LAMBDA_TASK_ROOT']}/${file}.mjs`);
  const handler = ((await import(url.href)) as Record<string, unknown>)[name];
  if (typeof handler !== 'function') throw new TypeError(`${file}.mjs exports no function "${name}"`);
  return handler as Handler;
}

function contextOf(headers: Answer['headers']): unknown {
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  return {
    awsRequestId: String(headers['lambda-runtime-aws-request-id']),
    invokedFunctionArn: String(headers['lambda-runtime-invoked-function-arn']),
    functionName: environment['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: environment['AWS_LAMBDA_FUNCTION_VERSION'],
    memoryLimitInMB: environment['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    logGroupName: environment['AWS_LAMBDA_LOG_GROUP_NAME'],
    logStreamName: environment['AWS_LAMBDA_LOG_STREAM_NAME'],
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

async function start(): Promise<Handler> {
  try {
    return await load();
  } catch (error) {
    await call('POST', '/init/error', describe(error));
    process.exit(1);
  }
}

const handler = await start();
for (;;) {
  const { headers, body } = await call('GET', '/invocation/next');
  const id = String(headers['lambda-runtime-aws-request-id']);
  environment['_X_AMZN_TRACE_ID'] = String(headers['lambda-runtime-trace-id']);
  const fail = (error: unknown) => call('POST', `/invocation/${id}/error`, describe(error));
  const crash = async (error: unknown): Promise<void> => {
    await fail(error);
    process.exit(129);
  };
  process.once('uncaughtException', crash);
  process.once('unhandledRejection', crash);
  try {
    const value = await handler(JSON.parse(body), contextOf(headers));
    await call('POST', `/invocation/${id}/response`, value === undefined ? '' : JSON.stringify(value));
  } catch (error) {
    await fail(error);
  } finally {
    process.removeListener('uncaughtException', crash);
    process.removeListener('unhandledRejection', crash);
  }
}
