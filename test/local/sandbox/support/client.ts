import {
  type SandboxCluster,
  startSandboxCluster,
  type SandboxOptions,
} from '../../../../lib/local/sandbox/start-sandbox-cluster.ts';

/** Answers are read by path in tests, so they are loosely typed on purpose. */
export interface Answer {
  readonly status: number;
  readonly body: AnswerBody;
}

export interface AnswerBody {
  readonly message?: string;
  readonly reason?: string;
  readonly metadata: {
    readonly name?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: readonly unknown[];
    readonly managedFields?: readonly unknown[];
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly items: readonly AnswerBody[];
  readonly status: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface RequestOptions {
  readonly token?: string;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestClient {
  readonly cluster: SandboxCluster;
  readonly request: (
    method: string,
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ) => Promise<Answer>;
  readonly apply: (path: string, object: unknown, manager?: string) => Promise<Answer>;
  /** Repeats a GET until the answer is as wanted. */
  readonly until: (path: string, wanted: (answer: Answer) => boolean) => Promise<Answer>;
}

export async function startClient(options: SandboxOptions = {}): Promise<TestClient> {
  const cluster = await startSandboxCluster({ availableAfterMs: 20, ...options });

  async function request(
    method: string,
    path: string,
    body?: unknown,
    more: RequestOptions = {},
  ): Promise<Answer> {
    const response = await fetch(cluster.url + path, {
      method,
      headers: {
        authorization: `Bearer ${more.token ?? cluster.token}`,
        'content-type': more.type ?? 'application/json',
        'user-agent': 'tests/1',
        ...more.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown =
      response.headers.get('content-type') === 'application/json' ? JSON.parse(text) : { text };
    return { status: response.status, body: parsed as AnswerBody };
  }

  return {
    cluster,
    request,
    apply: (path, object, manager = 'm1') =>
      request('PATCH', `${path}?fieldManager=${manager}`, object, { type: 'application/apply-patch+yaml' }),
    until: async (path, wanted) => {
      for (let tries = 0; tries < 500; tries += 1) {
        const answer = await request('GET', path);
        if (wanted(answer)) return answer;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`${path} never became as wanted`);
    },
  };
}

export function aConfigMap(
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' }, ...more };
}

export const DEFAULT_MAPS = '/api/v1/namespaces/default/configmaps';
