import type { Command } from 'commander';
import { refKey, type GitRef } from '../../model/source.ts';
import { allowRemoval, bootstrapRoot } from '../../register/bootstrap-root.ts';
import { parseNamedRef, parseRef } from '../../register/parse-ref.ts';
import { type Cli, type GlobalOptions, print, registerDeps, withInstallation } from '../cli.ts';
import { UsageError } from '../exit-codes.ts';

interface BootstrapOptions extends GlobalOptions {
  readonly source?: string;
  readonly ref?: string;
  readonly branch?: string;
  readonly tag?: string;
  readonly path?: string;
  readonly cluster?: string;
  readonly decryptionAge?: string;
  readonly decryptionKms?: boolean;
  readonly allowRemoval?: string;
}

export function addBootstrapCommand(program: Command, cli: Cli): void {
  program
    .command('bootstrap')
    .argument('<name>', 'of the root: lower-case letters, digits and dashes')
    .description('register a place in Git where applications are declared; safe to repeat')
    .option('--source <name>', 'a registered source')
    .option('--branch <name>', 'follow this branch (default: main)')
    .option('--tag <name>', 'follow this tag')
    .option('--ref <ref>', 'refs/heads/..., refs/tags/... or a commit')
    .option('--path <directory>', 'where the definitions are, relative to the root of the repository')
    .option('--cluster <name>', 'the cluster that this place speaks for')
    .option('--decryption-age <name>', 'secret with age identities, for what SOPS encrypted below the path')
    .option('--decryption-kms', 'the same, by AWS KMS with the rights of the target stage')
    .option('--allow-removal <digest>', 'let the applications go whose removal is held back, once')
    .addHelpText(
      'after',
      `
Everything below the path is rendered. What declares an Application is registered; all other objects are applied to the
root's own cluster. Decryption is for these objects; definitions have their own.

Examples:
  holdfast bootstrap prod --source shop --branch main --path clusters/prod --cluster prod-eu
  holdfast bootstrap prod --allow-removal 3f0c9a51b2d4`,
    )
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<BootstrapOptions>();
      if (options.allowRemoval !== undefined) return runAllow(cli, name, options.allowRemoval, options);
      return runBootstrap(cli, name, options);
    });
}

async function runBootstrap(cli: Cli, name: string, options: BootstrapOptions): Promise<void> {
  const { source, path, cluster } = options;
  if (source === undefined || path === undefined || cluster === undefined) {
    const missing = (['source', 'path', 'cluster'] as const).filter((key) => options[key] === undefined);
    throw new UsageError(`bootstrap needs ${missing.map((key) => `--${key}`).join(' and ')}`);
  }
  const ref = readRef(options);
  await withInstallation(cli, options, async (installation) => {
    const { root, change } = await bootstrapRoot(registerDeps(cli, installation), {
      name,
      source,
      ref,
      path,
      cluster,
      ...decryptionOf(options),
    });
    const document = {
      root: root.id,
      change,
      source: root.source,
      ref: refKey(root.ref),
      path: root.path,
      cluster: root.cluster,
      ...(root.decryption === undefined ? {} : { decryption: root.decryption }),
    };
    const words = { created: 'Created', changed: 'Changed', unchanged: 'Unchanged:' }[change];
    print(cli, options, document, () => [
      `${words} root ${root.id}: ${root.path} of ${root.source} at ${refKey(root.ref)}, for cluster ${root.cluster}.`,
      'It is looked at now; "holdfast status --wait 60" shows what comes of it.',
    ]);
  });
}

function decryptionOf({ decryptionAge: age, decryptionKms: kms }: BootstrapOptions) {
  if (age === undefined && kms !== true) return {};
  return { decryption: { ...(age === undefined ? {} : { age }), ...(kms === true ? { kms } : {}) } };
}

async function runAllow(cli: Cli, name: string, digest: string, options: GlobalOptions): Promise<void> {
  await withInstallation(cli, options, async (installation) => {
    const root = await allowRemoval(registerDeps(cli, installation), name, digest);
    print(cli, options, { root: root.id, allowed: digest }, () => [
      `Allowed: the applications that left root ${root.id} are removed now.`,
    ]);
  });
}

function readRef({ ref, branch, tag }: BootstrapOptions): GitRef {
  if ([ref, branch, tag].filter((value) => value !== undefined).length > 1) {
    throw new UsageError('give one of --branch, --tag and --ref');
  }
  if (ref !== undefined) return parseRef(ref);
  return tag === undefined ? parseNamedRef('branch', branch ?? 'main') : parseNamedRef('tag', tag);
}
