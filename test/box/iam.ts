import { resourcesOf, type Properties, type Resolve, type Template } from './template.ts';

/** One statement of an identity policy, every reference resolved. */
export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** One thing that a request does. */
export interface Access {
  /** `dynamodb:GetItem` */
  readonly action: string;
  readonly resource: string;
  /** By condition key; a key that is not here is absent from the request. */
  readonly context?: Readonly<Record<string, readonly string[]>>;
}

/**
 * All that a role's own policies say.
 * @throws Error for a managed policy, an inverted element or an operator that the box does not weigh
 */
export function statementsOf(template: Template, resolve: Resolve, role: string): readonly Statement[] {
  const properties = template.Resources[role]?.Properties;
  if (properties === undefined) throw new Error(`the template has no role "${role}"`);
  if (((properties['ManagedPolicyArns'] as readonly unknown[] | undefined) ?? []).length > 0) {
    throw new Error(`role ${role} has managed policies, which the box does not know`);
  }
  const inline = (properties['Policies'] as readonly Properties[] | undefined) ?? [];
  const attached = resourcesOf(template, 'AWS::IAM::Policy')
    .map(([, policy]) => policy)
    .filter(({ Roles: roles }) => JSON.stringify(roles).includes(JSON.stringify({ Ref: role })));
  return [...inline, ...attached].flatMap(({ PolicyDocument: document }) => {
    const { Statement: statements } = resolve(document) as { readonly Statement: readonly Properties[] };
    return statements.map(readStatement);
  });
}

const ELEMENTS = ['Sid', 'Effect', 'Action', 'Resource', 'Condition'];
const OPERATORS = ['StringEquals', 'StringLike', 'ArnEquals', 'ArnLike', 'Bool', 'ForAllValues:StringLike'];

function readStatement(statement: Properties): Statement {
  const unknown = Object.keys(statement).filter((key) => !ELEMENTS.includes(key));
  if (unknown.length > 0) throw new Error(`the box does not weigh ${unknown.join(', ')} of a statement`);
  const condition = (statement['Condition'] ?? {}) as Readonly<Record<string, Properties>>;
  return {
    effect: statement['Effect'] === 'Allow' ? 'Allow' : 'Deny',
    actions: listOf(statement['Action']),
    resources: listOf(statement['Resource']),
    conditions: Object.entries(condition).flatMap(([operator, keys]) => {
      if (!OPERATORS.includes(operator)) throw new Error(`the box does not weigh ${operator}`);
      return Object.entries(keys).map(([key, values]) => ({ operator, key, values: listOf(values) }));
    }),
  };
}

function listOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** As IAM decides: an explicit denial wins, and what nothing allows is denied. */
export function isAllowed(statements: readonly Statement[], access: Access): boolean {
  const about = statements.filter(
    ({ actions, resources, conditions }) =>
      actions.some((pattern) => matches(pattern.toLowerCase(), access.action.toLowerCase())) &&
      resources.some((pattern) => matches(pattern, access.resource)) &&
      conditions.every((condition) => holds(condition, access.context ?? {})),
  );
  return about.length > 0 && about.every(({ effect }) => effect === 'Allow');
}

function holds({ operator, key, values }: Condition, context: NonNullable<Access['context']>): boolean {
  const present = context[key] ?? [];
  const isOneOf = (value: string): boolean => values.some((pattern) => matches(pattern, value));
  // True of an absent key too, as in IAM.
  if (operator.startsWith('ForAllValues:')) return present.every(isOneOf);
  return present.some(isOneOf);
}

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
