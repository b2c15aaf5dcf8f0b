import { readFileSync } from 'node:fs';
import {
  type SandboxCluster,
  startSandboxCluster,
} from '../../../lib/local/sandbox/start-sandbox-cluster.ts';
import { SEQUENCES } from './sequences/all.ts';
import { comparable } from './support/comparable.ts';
import { normalise } from './support/normalise.ts';
import { runSequence, type SentRequest, type StepAnswer } from './support/sequence.ts';

const NAMESPACE = 'rec-0a1b2c3d';
const SUFFIX = 'hf4e5f6a7b';
const START = Date.UTC(2026, 0, 1);

interface Recording {
  readonly server: string;
  readonly answers: readonly StepAnswer[];
}

function recording(name: string): Recording {
  const file = new URL(`./recorded/${name}.recorded.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Recording;
}

async function sendTo(cluster: SandboxCluster, sent: SentRequest): Promise<StepAnswer> {
  const response = await fetch(`${cluster.url}${sent.path}`, {
    method: sent.method,
    headers: { ...sent.headers, authorization: `Bearer ${cluster.token}` },
    ...(sent.body === undefined ? {} : { body: sent.body }),
  });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) as unknown };
  } catch {
    return { status: response.status, body: text };
  }
}

describe('the sandbox answers as the recorded API server did', () => {
  let cluster: SandboxCluster | undefined;

  afterEach(async () => {
    await cluster?.close();
    cluster = undefined;
  });

  it.each(SEQUENCES.map((sequence) => ({ name: sequence.name, sequence })))('$name', async ({ sequence }) => {
    const expected = recording(sequence.name);
    let seconds = 0;
    const sandbox = await startSandboxCluster({
      clock: () => new Date(START + seconds * 1000),
      availableAfterMs: 10,
    });
    cluster = sandbox;
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const headers = { 'content-type': 'application/json', 'user-agent': 'node' };
    await sendTo(sandbox, { method: 'POST', path: '/api/v1/namespaces', headers, body });

    const answers = await runSequence(
      {
        send: (sent) => sendTo(sandbox, sent),
        pause: async (why) => {
          if (why === 'step') seconds += 1;
          else await new Promise((resolve) => setTimeout(resolve, 2));
        },
        namespace: NAMESPACE,
        suffix: SUFFIX,
      },
      sequence,
    );

    const run = { namespace: NAMESPACE, suffix: SUFFIX, anyTime: sequence.anyTime === true };
    const actual = normalise(answers, run);
    expect(actual.map(comparable)).toEqual(expected.answers.map(comparable));
  });
});
