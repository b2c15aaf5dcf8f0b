import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Application } from '../../model/application.ts';
import { describeOrigin, type Manifest } from '../../model/resource.ts';
import { printable } from '../../plan/printable.ts';
import { replaceSecretValues } from '../../plan/mask-secrets.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { type LocalValue, parseLocalValue } from '../options.ts';
import { plural } from '../output/words.ts';
import { readText } from '../secret-input.ts';

const MAX_KEY_BYTES = 65_536;

interface RenderOptions extends GlobalOptions {
  readonly application?: string;
  readonly from: readonly LocalValue[];
  readonly namespace?: string;
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
  readonly releaseName?: string;
  readonly maskSecrets?: boolean;
  /** False where --no-hooks is given. */
  readonly hooks: boolean;
  readonly ageKeyFile?: string;
  readonly remoteBase?: readonly string[];
  readonly chartOrigin?: readonly string[];
}

export function addRenderCommand(program: Command, cli: Cli): void {
  program
    .command('render')
    .argument('[path]', 'a directory (or one manifest file) of this machine')
    .description('print the manifests of a directory as they would be applied; needs no installation')
    .option('--application <file>', 'render as this Application says, of several in a file: <file>#<name>')
    .option('--from <value=file>', 'for valuesFrom and substitute.from; see below', collectValue, [])
    .option('--namespace <name>', 'for namespaced objects that name none (default: default)')
    .option('--kube-version <version>', 'that Helm charts are told, such as 1.33.0')
    .option(
      '--api-versions <version...>',
      'that Helm charts are told in addition, such as monitoring.coreos.com/v1',
    )
    .option('--release-name <name>', 'for Helm charts')
    .option('--remote-base <host...>', 'from where kustomizations may have bases: github.com')
    .option('--chart-origin <origin...>', 'chart repositories that may be plain http and private')
    .option('--age-key-file <file>', 'age identities for what SOPS encrypted (- for standard input)')
    .option('--mask-secrets', 'print no values of Secrets')
    .option('--no-hooks', 'leave out what a chart has run as hooks')
    .addHelpText(
      'after',
      `
Kustomize, Helm or plain YAML, chosen by what lies there; uncommitted changes count. Definitions of applications are
left out, for they are registered and not applied. Charts from elsewhere are fetched anonymously, bases of other
repositories from the hosts that are named.

With --application, all of its spec counts. The path is the one that it says, in the repository of the file, unless one
is given. What it takes from elsewhere comes from files: --from SecretsManager/<name>=<file> the text of the secret,
--from ConfigMap/[<namespace>/]<name>=<file> and --from Secret/[<namespace>/]<name>=<file> a manifest.

Examples:
  holdfast render environments/staging
  holdfast render --application clusters/prod/web.yaml --from Secret/shop/db=db.yaml --age-key-file keys.txt
  holdfast render apps/web --remote-base github.com
  holdfast render charts/web --namespace shop --release-name web | kubectl diff --server-side -f -`,
    )
    .action(async (path: string | undefined, _options, command: Command) => {
      await run(cli, path, command.optsWithGlobals<RenderOptions>());
    });
}

async function run(cli: Cli, path: string | undefined, options: RenderOptions): Promise<void> {
  const { namespace, kubeVersion, apiVersions, releaseName, from } = options;
  assertOneSays(path, options);
  const { readDeclaredApplication } = await import('../declared-application.ts');
  const { renderDirectory } = await import('../render-directory.ts');
  const declared =
    options.application === undefined ? undefined : await readDeclaredApplication(options.application);
  const ageKeys = await readKeys(cli, options.ageKeyFile, declared?.application);
  const rendered = await renderDirectory({
    ...(path === undefined ? {} : { path }),
    ...(declared === undefined ? {} : { declared }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
    ...(apiVersions === undefined ? {} : { apiVersions: apiVersions.flatMap((text) => text.split(',')) }),
    ...(releaseName === undefined ? {} : { releaseName }),
    ...(ageKeys === undefined ? {} : { ageKeys }),
    values: from,
    elsewhere: { remoteBases: options.remoteBase ?? [], chartOrigins: options.chartOrigin ?? [] },
    toolsDirectory: toolsDirectory(cli),
  });
  const unknown = rendered.rejections.map(({ manifest }) => manifest);
  const objects = [...rendered.manifests, ...unknown].map((manifest) => shown(manifest, options));
  const hooks = options.hooks ? rendered.hooks : [];
  cli.io.out(
    options.output === 'json'
      ? `${JSON.stringify(objects, undefined, 2)}\n`
      : objects.map((object) => toYaml(object)).join('') +
          hooks.map((hook) => toYaml(shown(hook, options), hookComment(hook))).join(''),
  );
  for (const { manifest, why } of rendered.rejections) {
    cli.io.err(`warning: ${printable(describeOrigin(manifest.origin))}: ${printable(why)}\n`);
  }
  for (const note of rendered.notes) cli.io.err(`note: ${printable(note)}\n`);
  if (rendered.hooks.length > 0) {
    const many = rendered.hooks.length > 1;
    cli.io.err(
      `note: ${plural(rendered.hooks.length, 'hook')} of the chart ${many ? 'are' : 'is'} not run yet, and ${many ? 'are' : 'is'} not applied with the rest\n`,
    );
  }
  if (rendered.definitions.length > 0) {
    cli.io.err(
      `note: ${plural(rendered.definitions.length, 'definition')} left out: a root registers them\n`,
    );
  }
  if (objects.length === 0 && rendered.definitions.length === 0) {
    cli.io.err(`warning: ${path ?? options.application} renders no objects\n`);
  }
  cli.exit(EXIT.ok);
}

function shown({ object }: Manifest, options: RenderOptions): unknown {
  return options.maskSecrets === true ? replaceSecretValues(object, () => '(secret)') : object;
}

function hookComment({ hook }: Manifest): string {
  return hook === undefined ? '' : `# hook: ${hook.phases.join(', ')}, weight ${hook.weight}\n`;
}

function toYaml(object: unknown, comment = ''): string {
  // Readers of YAML 1.1, kubectl among them, take yes and on for booleans.
  const options = { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' } as const;
  return `---\n${comment}${stringify(object, options)}`;
}

function collectValue(text: string, before: readonly LocalValue[]): readonly LocalValue[] {
  return [...before, parseLocalValue(text)];
}

/** What the application says is not said a second time. */
function assertOneSays(path: string | undefined, options: RenderOptions): void {
  if (options.application === undefined) {
    if (path === undefined) throw new UsageError('name a path, or an application with --application');
    if (options.from.length > 0) {
      throw new UsageError(
        '--from: only an application takes values from elsewhere: name it with --application',
      );
    }
    return;
  }
  for (const name of ['namespace', 'releaseName'] as const) {
    if (options[name] === undefined) continue;
    const option = name === 'namespace' ? '--namespace' : '--release-name';
    throw new UsageError(`${option}: the application says it already: leave one of the two out`);
  }
}

/** As sops does, also from the file that the environment names, where that is not asked for with an option. */
async function readKeys(
  cli: Cli,
  given: string | undefined,
  application: Application | undefined,
): Promise<string | undefined> {
  const takesKeys = application === undefined || application.render.decryption?.age !== undefined;
  if (given !== undefined && !takesKeys) {
    throw new UsageError(
      '--age-key-file: the application has no spec.decryption.age, so the function would decrypt nothing: add it, or leave the option out',
    );
  }
  const file = given ?? (takesKeys ? cli.io.env['SOPS_AGE_KEY_FILE'] : undefined);
  if (file === undefined || file === '') return undefined;
  const option = given === undefined ? 'SOPS_AGE_KEY_FILE' : '--age-key-file';
  const text = file === '-' ? await cli.io.readStdin() : await readText(option, file, MAX_KEY_BYTES);
  const { readAgeIdentities } = await import('../../render/sops/data-key.ts');
  if ((await readAgeIdentities(text)) !== undefined) return text;
  throw new UsageError(
    `${option}: no age identities: expected lines AGE-SECRET-KEY-1…, as age-keygen writes them`,
  );
}

/** The tools are the same for all installations of a user, and large. */
function toolsDirectory(cli: Cli): string {
  const { XDG_CACHE_HOME: cache } = cli.io.env;
  return join(cache === undefined || cache === '' ? join(homedir(), '.cache') : cache, 'holdfast', 'tools');
}
