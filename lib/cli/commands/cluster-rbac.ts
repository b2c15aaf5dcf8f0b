import type { Command } from 'commander';
import { stringify } from 'yaml';
import { parseName } from '../../register/names.ts';
import { type Cli, type GlobalOptions } from '../cli.ts';
import { UsageError } from '../exit-codes.ts';
import { buildRbac, type RbacOptions, type Subject } from '../rbac/build-rbac.ts';
import type { ResourceSet } from '../rbac/resources.ts';

interface RbacCommandOptions extends GlobalOptions {
  readonly read?: boolean;
  readonly namespace?: readonly string[];
  readonly also?: readonly string[];
  readonly manageRbac?: boolean;
  readonly impersonate?: boolean;
  readonly user?: string;
  readonly group?: string;
}

const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const RESOURCE = /^(\*|[a-z0-9]+)(?:\.([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?))?$/;

export function addClusterRbacCommand(cluster: Command, cli: Cli): void {
  cluster
    .command('rbac')
    .argument('<name>', 'the cluster, for the heading; it need not be registered yet')
    .description('print the least RBAC that Holdfast needs there, to be applied by its administrator')
    .option('--read', 'for the drift scan, which gets and lists; without: for who applies')
    .option('--namespace <names...>', 'only in these; without: everywhere, and what belongs to no namespace')
    .option('--also <resources...>', 'further resources, as in certificates.cert-manager.io or *.example.com')
    .option('--manage-rbac', 'may also apply roles that grant more than it holds itself')
    .option(
      '--impersonate',
      'in each namespace a ServiceAccount holds the rights, and who applies may only impersonate it',
    )
    .option('--group <name>', 'who gets them; default: holdfast:apply, and with --read holdfast:read')
    .option('--user <name>', 'a user instead of a group, for a token or client certificate')
    .addHelpText(
      'after',
      `
The groups are those of the access entries that addEksCluster makes. Pods' exec, logs and other subresources are never
in it. A custom resource needs --also.

Examples:
  holdfast cluster rbac prod-eu | kubectl apply -f -
  holdfast cluster rbac prod-eu --read | kubectl apply -f -
  holdfast cluster rbac prod-eu --namespace shop team-b --user system:serviceaccount:ops:holdfast`,
    )
    .action((name: string, _options, command: Command) => {
      printRbac(cli, name, command.optsWithGlobals<RbacCommandOptions>());
    });
}

function printRbac(cli: Cli, name: string, options: RbacCommandOptions): void {
  const rbac = readOptions(options);
  const objects = buildRbac(rbac);
  if (options.output === 'json') {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    cli.io.out(`${JSON.stringify(list, undefined, 2)}\n`);
    return;
  }
  const heading = headingOf(parseName('cluster', name), rbac);
  const documents = objects.map((object) =>
    stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
  );
  cli.io.out(`${heading.map((line) => `# ${line}\n`).join('')}${documents.join('---\n')}`);
}

/** @throws UsageError; names end up in YAML that somebody applies as administrator */
function readOptions(options: RbacCommandOptions): RbacOptions {
  const role = options.read === true ? 'read' : 'apply';
  const namespaces = [...new Set(options.namespace ?? [])];
  for (const namespace of namespaces) {
    if (!DNS_LABEL.test(namespace))
      throw new UsageError(`--namespace: ${JSON.stringify(namespace)} is no name of a namespace`);
  }
  if (options.impersonate === true && (namespaces.length === 0 || role === 'read')) {
    throw new UsageError(
      '--impersonate is for who applies, and needs the namespaces of the tenants: give --namespace, and leave --read out',
    );
  }
  if (role === 'read' && options.manageRbac === true) {
    throw new UsageError('--manage-rbac is for who applies: leave --read out');
  }
  return {
    role,
    namespaces,
    also: (options.also ?? []).map(readResource),
    manageRbac: options.manageRbac ?? false,
    impersonate: options.impersonate ?? false,
    subject: readSubject(options, role),
  };
}

function readSubject(options: RbacCommandOptions, role: 'apply' | 'read'): Subject {
  const { user, group } = options;
  if (user !== undefined && group !== undefined) throw new UsageError('give --user or --group, not both');
  const subject: Subject =
    user === undefined ? { kind: 'Group', name: group ?? `holdfast:${role}` } : { kind: 'User', name: user };
  // Everybody has these; a typo must not give them the cluster.
  if (
    subject.name.trim() === '' ||
    /^system:(authenticated|unauthenticated|masters|anonymous)$/.test(subject.name)
  ) {
    throw new UsageError(
      `${JSON.stringify(subject.name)} is nobody in particular: name a user or group of Holdfast's own`,
    );
  }
  return subject;
}

function readResource(text: string): ResourceSet {
  const [, resource, group = ''] = RESOURCE.exec(text) ?? [];
  if (resource === undefined || (resource === '*' && group === '')) {
    throw new UsageError(
      `--also: ${JSON.stringify(text)}: give resource.group in plural, as in certificates.cert-manager.io`,
    );
  }
  return { group, resources: [resource] };
}

function headingOf(name: string, rbac: RbacOptions): readonly string[] {
  const what = rbac.role === 'apply' ? 'apply to' : 'read, and not change,';
  const where = rbac.namespaces.length === 0 ? '' : ` in ${rbac.namespaces.join(', ')}`;
  return [
    `Lets ${rbac.subject.kind.toLowerCase()} ${JSON.stringify(rbac.subject.name)} ${what} cluster ${name}${where}.`,
    ...(rbac.role === 'read'
      ? ['Secrets are among it: the scan compares them, and keeps keyed hashes of their values only.']
      : []),
    ...(rbac.role === 'apply' && !rbac.manageRbac
      ? ['Roles that grant more than is granted here are refused by the API server (--manage-rbac).']
      : []),
    ...(rbac.namespaces.length > 0
      ? ['The namespaces must exist: leave spec.createNamespace off for what is deployed there.']
      : []),
  ];
}
