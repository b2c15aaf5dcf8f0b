import { type Command, Option } from 'commander';
import type { Source, WebhookProvider } from '../../model/source.ts';
import { addSource, type SourceInput } from '../../register/add-source.ts';
import { removeSource } from '../../register/remove-source.ts';
import { type Cli, type GlobalOptions, print, registerDeps, withInstallation } from '../cli.ts';
import { UsageError } from '../exit-codes.ts';
import { ago, isoTime } from '../output/words.ts';
import { table } from '../output/table.ts';
import { readSecret } from '../secret-input.ts';

interface AddOptions extends GlobalOptions {
  readonly url: string;
  readonly provider: WebhookProvider;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly webhookSecretFile?: string;
  readonly allowHttp?: boolean;
  readonly allowPrivateNetwork?: boolean;
  readonly replace?: boolean;
}

export function addSourceCommand(program: Command, cli: Cli): void {
  const source = program.command('source').description('Git repositories');
  source
    .command('add')
    .argument('<name>', 'its id: lower-case letters, digits and dashes')
    .description('register a Git repository, and print where its webhook goes')
    .requiredOption('--url <url>', 'https:// clone URL, without user name and password')
    .addOption(
      new Option('--provider <host>', 'whose webhooks it sends')
        .choices(['github', 'generic'])
        .makeOptionMandatory(),
    )
    .option('--token-file <file>', 'access token for reading the repository (- for standard input)')
    .option('--username <name>', 'user name for basic authentication')
    .option('--password-file <file>', 'its password (- for standard input)')
    .option('--webhook-secret-file <file>', 'the webhook secret, if the Git host already has one')
    .option('--allow-http', 'allow http://, which anybody on the way can change')
    .option('--allow-private-network', 'allow hosts with loopback, link-local and private addresses')
    .option(
      '--replace',
      'change a registered source; a new webhook secret is valid beside the former one (rotation)',
    )
    .addHelpText(
      'after',
      `
Without --webhook-secret-file a secret is made and printed, once. Give it to the Git host together with the URL.

Examples:
  holdfast source add shop --url https://github.com/acme/shop --provider github --token-file token.txt
  pass show shop-token | holdfast source add shop --url https://github.com/acme/shop --provider github --token-file -`,
    )
    .action(async (name: string, _options, command: Command) => {
      await runAdd(cli, name, command.optsWithGlobals<AddOptions>());
    });
  source
    .command('list')
    .description('the registered sources')
    .action(async (_options, command: Command) => {
      await runList(cli, command.optsWithGlobals<GlobalOptions>());
    });
  source
    .command('remove')
    .argument('<name>')
    .description('forget a source that no root and no application uses any more, and its secrets')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withInstallation(cli, options, async (installation) => {
        await removeSource(registerDeps(cli, installation), name);
        print(cli, options, { removed: name }, () => [`Removed source ${name} and its secrets.`]);
      });
    });
}

async function runAdd(cli: Cli, name: string, options: AddOptions): Promise<void> {
  const credential = await readCredential(cli, options);
  const webhookSecret =
    options.webhookSecretFile === undefined
      ? undefined
      : await readSecret(cli.io, '--webhook-secret-file', options.webhookSecretFile);
  const input: SourceInput = {
    name,
    url: options.url,
    provider: options.provider,
    allowHttp: options.allowHttp ?? false,
    allowPrivateNetwork: options.allowPrivateNetwork ?? false,
    replace: options.replace ?? false,
    ...(credential === undefined ? {} : { credential }),
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
  };
  await withInstallation(cli, options, async (installation) => {
    const added = await addSource(registerDeps(cli, installation), input);
    const webhookUrl = `${installation.webhookUrl}/${added.source.id}`;
    const { generatedSecret, replaced } = added;
    const document = {
      source: added.source.id,
      url: added.source.url,
      provider: added.source.provider,
      webhookUrl,
      replaced,
      ...(generatedSecret === undefined ? {} : { webhookSecret: generatedSecret }),
    };
    print(cli, options, document, () => [
      `${replaced ? 'Replaced' : 'Added'} source ${added.source.id} (${added.source.url}).`,
      `  webhook URL     ${webhookUrl}`,
      ...(generatedSecret === undefined
        ? []
        : [`  webhook secret  ${generatedSecret}`, 'The secret is not shown again.']),
      ...hint(added.source, webhookUrl),
    ]);
  });
}

function hint(source: Source, webhookUrl: string): readonly string[] {
  return source.provider === 'github'
    ? [`On GitHub: Settings > Webhooks > Add webhook, content type application/json, event "push".`]
    : [
        'Sign each delivery: X-Signature: sha256=<hex HMAC-SHA-256 of the body under the secret>, to',
        `  ${webhookUrl}`,
      ];
}

async function readCredential(cli: Cli, options: AddOptions): Promise<SourceInput['credential']> {
  const { tokenFile, username, passwordFile } = options;
  if (tokenFile !== undefined && (username !== undefined || passwordFile !== undefined)) {
    throw new UsageError('give --token-file, or --username with --password-file, not both');
  }
  const fromStdin = [tokenFile, passwordFile, options.webhookSecretFile].filter((file) => file === '-');
  if (fromStdin.length > 1) {
    throw new UsageError('only one secret can come from standard input: put the others into files');
  }
  if (tokenFile !== undefined) return { token: await readSecret(cli.io, '--token-file', tokenFile) };
  if (username === undefined && passwordFile === undefined) return undefined;
  if (username === undefined || passwordFile === undefined) {
    throw new UsageError('--username and --password-file belong together');
  }
  return { username, password: await readSecret(cli.io, '--password-file', passwordFile) };
}

interface SourceRow {
  readonly source: string;
  readonly url: string;
  readonly provider: WebhookProvider;
  readonly webhookUrl: string;
  readonly authenticated: boolean;
  readonly checkedAt?: string;
  readonly error?: string;
}

async function runList(cli: Cli, options: GlobalOptions): Promise<void> {
  await withInstallation(cli, options, async ({ deps, webhookUrl }) => {
    const rows: SourceRow[] = [];
    for (const source of await deps.state.listSources()) {
      const state = await deps.state.getSourceState(source.id);
      const checkedAt = isoTime(state.checkedAt);
      rows.push({
        source: source.id,
        url: source.url,
        provider: source.provider,
        webhookUrl: `${webhookUrl}/${source.id}`,
        authenticated: source.gitSecret !== undefined,
        ...(checkedAt === undefined ? {} : { checkedAt }),
        ...(state.error === undefined ? {} : { error: state.error.message }),
      });
    }
    print(cli, options, { sources: rows }, () =>
      rows.length === 0
        ? ['No sources: register one with "holdfast source add".']
        : table(
            ['SOURCE', 'URL', 'PROVIDER', 'CHANGED', 'WEBHOOK', 'ERROR'],
            rows.map((row) => [
              row.source,
              row.url,
              row.provider,
              ago(cli.io.now(), row.checkedAt === undefined ? undefined : Date.parse(row.checkedAt)),
              row.webhookUrl,
              row.error ?? '',
            ]),
          ),
    );
  });
}
