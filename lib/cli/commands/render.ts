import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { describeOrigin, type Manifest } from '../../model/resource.ts';
import { printable } from '../../plan/printable.ts';
import { replaceSecretValues } from '../../plan/mask-secrets.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { plural } from '../output/words.ts';
import { readText } from '../secret-input.ts';

const MAX_KEY_BYTES = 65_536;

interface RenderOptions extends GlobalOptions {
  readonly namespace?: string;
  readonly kubeVersion?: string;
  readonly releaseName?: string;
  readonly maskSecrets?: boolean;
  readonly ageKeyFile?: string;
  readonly remoteBase?: readonly string[];
  readonly chartOrigin?: readonly string[];
}

export function addRenderCommand(program: Command, cli: Cli): void {
  program
    .command('render')
    .argument('<path>', 'a directory (or one manifest file) of this machine')
    .description('print the manifests of a directory as they would be applied; needs no installation')
    .option('--namespace <name>', 'for namespaced objects that name none (default: default)')
    .option('--kube-version <version>', 'that Helm charts are told, such as 1.33.0')
    .option('--release-name <name>', 'for Helm charts')
    .option('--remote-base <host...>', 'from where kustomizations may have bases: github.com')
    .option('--chart-origin <origin...>', 'chart repositories that may be plain http and private')
    .option('--age-key-file <file>', 'age identities for what SOPS encrypted (- for standard input)')
    .option('--mask-secrets', 'print no values of Secrets')
    .addHelpText(
      'after',
      `
Kustomize, Helm or plain YAML, chosen by what lies there; uncommitted changes count. Definitions of applications are
left out, for they are registered and not applied. Charts from elsewhere are fetched anonymously, bases of other
repositories from the hosts that are named.

Examples:
  holdfast render environments/staging
  holdfast render apps/web --remote-base github.com
  holdfast render charts/web --namespace shop --release-name web | kubectl diff --server-side -f -`,
    )
    .action(async (path: string, _options, command: Command) => {
      await run(cli, path, command.optsWithGlobals<RenderOptions>());
    });
}

async function run(cli: Cli, path: string, options: RenderOptions): Promise<void> {
  const { namespace, kubeVersion, releaseName } = options;
  const { renderDirectory } = await import('../render-directory.ts');
  const ageKeys = await readKeys(cli, options.ageKeyFile);
  const rendered = await renderDirectory({
    path,
    ...(namespace === undefined ? {} : { namespace }),
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
    ...(releaseName === undefined ? {} : { releaseName }),
    ...(ageKeys === undefined ? {} : { ageKeys }),
    elsewhere: { remoteBases: options.remoteBase ?? [], chartOrigins: options.chartOrigin ?? [] },
    toolsDirectory: toolsDirectory(cli),
  });
  const unknown = rendered.rejections.map(({ manifest }) => manifest);
  const objects = [...rendered.manifests, ...unknown].map((manifest) => shown(manifest, options));
  cli.io.out(options.output === 'json' ? `${JSON.stringify(objects, undefined, 2)}\n` : toYaml(objects));
  for (const { manifest, why } of rendered.rejections) {
    cli.io.err(`warning: ${printable(describeOrigin(manifest.origin))}: ${printable(why)}\n`);
  }
  for (const note of rendered.notes) cli.io.err(`note: ${printable(note)}\n`);
  if (rendered.definitions.length > 0) {
    cli.io.err(
      `note: ${plural(rendered.definitions.length, 'definition')} left out: a root registers them\n`,
    );
  }
  if (objects.length === 0 && rendered.definitions.length === 0) {
    cli.io.err(`warning: ${path} renders no objects\n`);
  }
  cli.exit(EXIT.ok);
}

function shown({ object }: Manifest, options: RenderOptions): unknown {
  return options.maskSecrets === true ? replaceSecretValues(object, () => '(secret)') : object;
}

function toYaml(objects: readonly unknown[]): string {
  return objects
    .map(
      (object) =>
        // Readers of YAML 1.1, kubectl among them, take yes and on for booleans.
        `---\n${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' })}`,
    )
    .join('');
}

async function readKeys(cli: Cli, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text =
    file === '-' ? await cli.io.readStdin() : await readText('--age-key-file', file, MAX_KEY_BYTES);
  const { readAgeIdentities } = await import('../../render/sops/data-key.ts');
  if ((await readAgeIdentities(text)) !== undefined) return text;
  throw new UsageError(
    '--age-key-file: no age identities: expected lines AGE-SECRET-KEY-1…, as age-keygen writes them',
  );
}

/** The tools are the same for all installations of a user, and large. */
function toolsDirectory(cli: Cli): string {
  const { XDG_CACHE_HOME: cache } = cli.io.env;
  return join(cache === undefined || cache === '' ? join(homedir(), '.cache') : cache, 'holdfast', 'tools');
}
