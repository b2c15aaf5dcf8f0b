/**
 * Records what a real API server answers to the sequences, in a namespace of its own, and cleans up behind itself.
 *
 *   node test/local/sandbox/record.ts path/to/kubeconfig [sequence ...]
 *
 * The user must be allowed to create namespaces and CustomResourceDefinitions. Each step runs in a second of its own,
 * because the API server keeps whole seconds: so a recording shows which times a write moves. Takes some minutes.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type RequestOptions, request as httpsRequest } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { SEQUENCES } from './sequences/all.ts';
import { normalise } from './support/normalise.ts';
import { runSequence, type SentRequest, type Sequence, type StepAnswer } from './support/sequence.ts';

const [file = '', ...names] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(file);
const server = config.getCurrentCluster()?.server ?? '';
const options: RequestOptions = {};
await config.applyToHTTPSOptions(options);

function send(sent: SentRequest): Promise<StepAnswer> {
  return new Promise((resolve, reject) => {
    // Node sends the body of a DELETE without a length otherwise, and the server does not see it.
    const length = sent.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent.body)) };
    const headers = { ...options.headers, ...sent.headers, ...length };
    const call = httpsRequest(
      `${server}${sent.path}`,
      { ...options, method: sent.method, headers },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parse(text) }));
      },
    );
    call.on('error', reject);
    call.end(sent.body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const JSON_TYPE = { 'content-type': 'application/json', 'user-agent': 'node' };
const wait = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Into the next second, a bit behind its start. */
async function nextSecond(): Promise<void> {
  await wait(1000 - (Date.now() % 1000) + 100);
}

async function record(sequence: Sequence, version: string): Promise<void> {
  const suffix = `hf${randomBytes(4).toString('hex')}`;
  const namespace = `rec-${randomBytes(4).toString('hex')}`;
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await send({ method: 'POST', path: '/api/v1/namespaces', headers: JSON_TYPE, body });
  try {
    const pause = (why: 'step' | 'retry'): Promise<void> => (why === 'step' ? nextSecond() : wait(200));
    const answers = await runSequence({ send, pause, namespace, suffix }, sequence);
    const run = { namespace, suffix, anyTime: sequence.anyTime === true };
    const recording = { server: version, answers: normalise(answers, run) };
    const target = new URL(`./recorded/${sequence.name}.recorded.json`, import.meta.url);
    writeFileSync(target, `${JSON.stringify(recording, undefined, 1)}\n`);
    console.log(`${sequence.name}: ${answers.map((answer) => answer.status).join(' ')}`);
  } finally {
    await send({
      method: 'DELETE',
      path: `/api/v1/namespaces/${namespace}`,
      headers: JSON_TYPE,
      body: undefined,
    });
    await removeDefinitions(suffix);
  }
}

async function removeDefinitions(suffix: string): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const { body } = await send({ method: 'GET', path, headers: JSON_TYPE, body: undefined });
  const items = (body as { items?: readonly { metadata: { name: string } }[] }).items ?? [];
  for (const { metadata } of items) {
    if (!metadata.name.endsWith(`${suffix}.example.com`)) continue;
    await send({ method: 'DELETE', path: `${path}/${metadata.name}`, headers: JSON_TYPE, body: undefined });
  }
}

const { body: version } = await send({ method: 'GET', path: '/version', headers: {}, body: undefined });
const gitVersion = String((version as { gitVersion?: unknown }).gitVersion);
for (const sequence of SEQUENCES) {
  if (names.length === 0 || names.includes(sequence.name)) await record(sequence, gitVersion);
}
