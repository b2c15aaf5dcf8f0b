/** A request of a recorded sequence. In path and body `$NS` is the namespace of the run, `$SUFFIX` a word of its own. */
export interface Step {
  /** `PATCH /api/v1/namespaces/$NS/configmaps/a?fieldManager=m1` */
  readonly request: string;
  readonly type?: 'json' | 'apply' | 'merge' | 'json-patch' | 'strategic' | 'text';
  /** Sent as JSON, or as it is when it is text. `{{0.metadata.uid}}` is a value of the first step's answer. */
  readonly body?: unknown;
  readonly agent?: string;
  readonly accept?: string;
  /** Repeats the request until this part of the answer has this value; only the last answer counts. */
  readonly until?: { readonly path: string; readonly equals: unknown };
}

export interface Sequence {
  /** Name of the recording, in kebab-case. */
  readonly name: string;
  /** Times are compared as "some time": controllers write in their own. */
  readonly anyTime?: boolean;
  readonly steps: readonly Step[];
}

export interface StepAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface SequenceDeps {
  readonly send: (request: SentRequest) => Promise<StepAnswer>;
  /** Called before each step and between the tries of an `until`. */
  readonly pause: (why: 'step' | 'retry') => Promise<void>;
  readonly namespace: string;
  readonly suffix: string;
}

const MEDIA_TYPES = {
  json: 'application/json',
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  'json-patch': 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  text: 'text/plain',
} as const;
const MAX_TRIES = 400;

/** Runs the steps one after the other and returns their answers, normalised: see normalise.ts. */
export async function runSequence(deps: SequenceDeps, sequence: Sequence): Promise<readonly StepAnswer[]> {
  const answers: StepAnswer[] = [];
  for (const step of sequence.steps) {
    // What is waited for happens by itself, at any moment after the last step.
    if (step.until === undefined) await deps.pause('step');
    const request = requestOf(deps, step, answers);
    let answer = await deps.send(request);
    for (
      let tries = 0;
      step.until !== undefined && valueAt(answer.body, step.until.path) !== step.until.equals;
    ) {
      tries += 1;
      if (tries > MAX_TRIES)
        throw new Error(`${sequence.name}: ${step.request} never became ${JSON.stringify(step.until)}`);
      await deps.pause('retry');
      answer = await deps.send(request);
    }
    answers.push(answer);
  }
  return answers;
}

function requestOf(deps: SequenceDeps, step: Step, answers: readonly StepAnswer[]): SentRequest {
  const fill = (text: string): string =>
    text
      .replaceAll('$NS', deps.namespace)
      .replaceAll('$SUFFIX', deps.suffix)
      .replaceAll(/\{\{(\d+)\.([\w.]+)\}\}/g, (_, index, path) =>
        String(valueAt(answers[Number(index)]?.body, String(path))),
      );
  const [method = '', path = ''] = step.request.split(' ');
  const body =
    step.body === undefined || typeof step.body === 'string' ? step.body : JSON.stringify(step.body);
  return {
    method,
    path: fill(path),
    headers: {
      'content-type': MEDIA_TYPES[step.type ?? 'json'],
      'user-agent': step.agent ?? 'editor/1.0',
      ...(step.accept === undefined ? {} : { accept: step.accept }),
    },
    body: body === undefined ? undefined : fill(body),
  };
}

function valueAt(value: unknown, path: string): unknown {
  let current = value;
  for (const part of path.split('.')) {
    current =
      typeof current === 'object' && current !== null
        ? (current as Record<string, unknown>)[part]
        : undefined;
  }
  return current;
}
