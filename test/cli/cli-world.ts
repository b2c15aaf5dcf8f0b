import { HoldfastError } from '../../lib/model/errors.ts';
import type { ReconcileDeps } from '../../lib/compose/reconcile.ts';
import type { CliIo } from '../../lib/cli/cli.ts';
import { runCli } from '../../lib/cli/main.ts';
import type { SecretStore } from '../../lib/secrets/secret-store.ts';

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command line over an installation in memory. */
export interface CliWorld {
  /** `<role>/<name>` → value */
  readonly secrets: Map<string, string>;
  run(...argv: string[]): Promise<Ended>;
  /** With standard input. */
  runWith(stdin: string, ...argv: string[]): Promise<Ended>;
  /** The document that a command prints for programs. */
  json<T>(...argv: string[]): Promise<T>;
}

export function cliWorld(deps: ReconcileDeps, env: CliIo['env'] = {}): CliWorld {
  const secrets = new Map<string, string>();
  const runWith = async (stdin: string, ...argv: string[]): Promise<Ended> => {
    let out = '';
    let err = '';
    const io: CliIo = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      readStdin: async () => stdin,
      env,
      colours: false,
      now: () => deps.clock.now(),
      stop: new AbortController().signal,
    };
    const code = await runCli(argv, {
      io,
      describeEksCluster: async (clusterName) => ({
        endpoint: `https://${clusterName}.eks.example`,
        caData: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
        warnings: [],
      }),
      connect: async (directory) => ({
        directory,
        installation: deps.installation,
        webhookUrl: 'http://127.0.0.1:8080/hooks',
        deps,
        secrets: memorySecrets(secrets),
        close: async () => undefined,
      }),
    });
    return { code, out, err };
  };
  const run = (...argv: string[]) => runWith('', ...argv);
  return {
    secrets,
    run,
    runWith,
    async json<T>(...argv: string[]) {
      const { out, err } = await run(...argv, '--output', 'json');
      if (out === '') throw new Error(err);
      return JSON.parse(out) as T;
    },
  };
}

function memorySecrets(values: Map<string, string>): SecretStore {
  return {
    async get(role, name) {
      const value = values.get(`${role}/${name}`);
      if (value === undefined) throw new HoldfastError('secret-missing', `no secret ${role}/${name}`);
      return value;
    },
    put: async (role, name, value) => void values.set(`${role}/${name}`, value),
    delete: async (role, name) => void values.delete(`${role}/${name}`),
  };
}
