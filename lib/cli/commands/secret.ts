import { Argument, type Command } from 'commander';
import { deleteSecret, NAMED_ROLES, type NamedRole, setSecret } from '../../register/set-secret.ts';
import { type Cli, type GlobalOptions, print, registerDeps, withInstallation } from '../cli.ts';
import { readText } from '../secret-input.ts';

interface SetOptions extends GlobalOptions {
  readonly file: string;
  readonly host: readonly string[];
}

const MAX_BYTES = 65_536;

export function addSecretCommand(program: Command, cli: Cli): void {
  const secret = program
    .command('secret')
    .description('keys, values and credentials that definitions refer to by name');
  secret
    .command('set')
    .addArgument(role())
    .argument('<name>', 'by which definitions refer to it')
    .description('store one, over what is there under that name')
    .option('--file <file>', 'what to store (- for standard input)', '-')
    .option(
      '--host <host>',
      'of the role chart: where alone it is sent, port included; may be repeated',
      (host: string, before: readonly string[]) => [...before, host],
      [],
    )
    .addHelpText(
      'after',
      `
  decryption  age identities, as age-keygen writes them, for files that SOPS encrypted: spec.decryption.age
  values      for charts and variables: spec.render.helm.valuesFrom and spec.substitute.from, kind SecretsManager.
              A JSON object of texts has keys; any other text is one value
  chart       user:password, or JSON {"username", "password"} or {"token"}, with the hosts of the chart repository to
              which alone it is sent: spec.render.helm.chart.credentials

What was rendered with the former one is rendered again after the next scan.

Examples:
  age-keygen | holdfast secret set decryption sops
  holdfast secret set values web --file web.json
  echo bot:secret | holdfast secret set chart acme --host charts.example.com`,
    )
    .action(async (of: NamedRole, name: string, _options, command: Command) => {
      await runSet(cli, of, name, command.optsWithGlobals<SetOptions>());
    });
  secret
    .command('delete')
    .addArgument(role())
    .argument('<name>')
    .description('forget one, at once and for good')
    .action(async (of: NamedRole, name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withInstallation(cli, options, async (installation) => {
        await deleteSecret(registerDeps(cli, installation), of, name);
        print(cli, options, { role: of, deleted: name }, () => [`Deleted secret ${name} of the role ${of}.`]);
      });
    });
}

function role(): Argument {
  return new Argument('<role>', 'what it is for').choices([...NAMED_ROLES]);
}

async function runSet(cli: Cli, of: NamedRole, name: string, options: SetOptions): Promise<void> {
  const { file, host } = options;
  const text = file === '-' ? await cli.io.readStdin() : await readText('--file', file, MAX_BYTES);
  // One line end at the end of one line, which editors add, is not part of it.
  const value = /^[^\r\n]*\r?\n$/.test(text) ? text.trimEnd() : text;
  await withInstallation(cli, options, async (installation) => {
    const stored = await setSecret(registerDeps(cli, installation), of, name, value, host);
    print(cli, options, stored, () => [
      `Stored secret ${name} of the role ${of}.`,
      ...(stored.hosts === undefined ? [] : [`  is sent to ${stored.hosts.join(', ')}`]),
      ...(stored.recipients ?? []).map((recipient) => `  opens files that are encrypted for ${recipient}`),
      ...(stored.keys === undefined || stored.keys.length === 0 ? [] : [`  keys: ${stored.keys.join(', ')}`]),
    ]);
  });
}
