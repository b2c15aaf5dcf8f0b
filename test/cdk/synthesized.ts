import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2';
import type { HoldfastProps } from '../../lib/cdk/holdfast-props.ts';
import { HoldfastStack, type HoldfastStackProps } from '../../lib/cdk/holdfast-stack.ts';

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly DependsOn?: readonly string[];
}

export interface Synthesized {
  readonly stack: HoldfastStack;
  readonly template: Template;
  readonly json: {
    readonly Resources: Readonly<Record<string, Resource>>;
    readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  };
}

const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-cdk-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What is in a bundle does not matter to the template; that it is there does. */
export function bundlesDirectory(): string {
  for (const name of ['webhook', 'reconcile', 'drift-scan']) {
    mkdirSync(path.join(directory, name), { recursive: true });
    writeFileSync(
      path.join(directory, name, 'index.mjs'),
      `export const handler = () => ${JSON.stringify(name)};\n`,
    );
  }
  return directory;
}

/** An app that copies no assets, which only a deployment needs. */
export function anApp(): App {
  return new App({
    analyticsReporting: false,
    treeMetadata: false,
    // CloudFormation's own rules take seconds: app.test.ts has them once.
    builtinCloudFormationValidation: false,
    outdir: mkdtempSync(path.join(directory, 'out-')),
    context: {
      'aws:cdk:disable-asset-staging': true,
      'aws:cdk:enable-path-metadata': true,
      'aws:cdk:disable-stack-trace': true,
      '@aws-cdk/aws-iam:minimizePolicies': true,
    },
  });
}

/** A stack `Test` whose installation is `prod`, unless the facts say something else. */
export function aStack(
  facts: NonNullable<HoldfastStackProps['holdfast']> = {},
  app: App = anApp(),
): HoldfastStack {
  const common: HoldfastProps = { installation: 'prod', functionsDirectory: bundlesDirectory() };
  return new HoldfastStack(app, 'Test', {
    holdfast:
      typeof facts === 'function' ? (stack) => ({ ...common, ...facts(stack) }) : { ...common, ...facts },
  });
}

export function synthesize(facts: Parameters<typeof aStack>[0] = {}): Synthesized {
  return templateOf(aStack(facts));
}

export function templateOf(stack: HoldfastStack): Synthesized {
  const template = Template.fromStack(stack);
  return { stack, template, json: template.toJSON() as Synthesized['json'] };
}

/** A resource by its path below the construct `Holdfast`. */
export function resourceAt({ json }: Synthesized, below: string): Resource {
  const found = Object.values(json.Resources).filter((resource) => pathOf(resource) === below);
  if (found.length !== 1 || found[0] === undefined) {
    throw new Error(
      `${found.length} resources at ${below}; there are ${Object.values(json.Resources).map(pathOf).join(', ')}`,
    );
  }
  return found[0];
}

/** `Webhook/Role`, without the stack and without what every L2 adds. */
export function pathOf(resource: Resource): string {
  return String(resource.Metadata?.['aws:cdk:path'] ?? '')
    .replace(/^Test\/(Holdfast\/)?/, '')
    .replace(/\/Resource$/, '');
}

/** A value of the template as one line: `<path>.Attribute` for a reference. */
export function textOf({ json }: Pick<Synthesized, 'json'>, value: unknown): string {
  const visit = (node: unknown): string => {
    if (typeof node !== 'object' || node === null) return String(node);
    const object = node as Readonly<Record<string, unknown>>;
    if (Array.isArray(object['Fn::GetAtt'])) {
      const [id, attribute] = object['Fn::GetAtt'] as readonly string[];
      return `<${name(id ?? '')}>.${attribute}`;
    }
    if (Array.isArray(object['Fn::Join'])) {
      const [delimiter, items] = object['Fn::Join'] as readonly unknown[];
      return (items as readonly unknown[]).map(visit).join(String(delimiter));
    }
    if (typeof object['Ref'] === 'string') return `<${name(object['Ref'])}>`;
    return JSON.stringify(node);
  };
  const name = (id: string) => {
    const resource = json.Resources[id];
    return resource === undefined ? id : pathOf(resource);
  };
  return visit(value);
}

export const ofType = ({ json }: Pick<Synthesized, 'json'>, type: string): readonly Resource[] =>
  Object.values(json.Resources).filter(({ Type }) => Type === type);

/** One that exists already, so that its own resources are not part of the template. */
export function aVpc(stack: Stack): IVpc {
  return Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['a', 'b'],
    privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  });
}
