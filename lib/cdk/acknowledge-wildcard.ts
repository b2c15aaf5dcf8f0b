import { Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Acknowledges one resource with a wildcard in the policies below a construct: this one, and no other that may come. */
export function acknowledgeWildcard(scope: Construct, resource: string, reason: string): void {
  const finding = flatten(Stack.of(scope).resolve(resource));
  Validations.of(scope).acknowledge({ id: `AwsSolutions-IAM5[Resource::${finding}]`, reason });
}

/** How cdk-nag writes a reference in the id of a finding. */
function flatten(reference: unknown): string {
  if (typeof reference === 'string') return reference;
  const object = reference as Readonly<Record<string, unknown>>;
  if (object['Fn::Join'] !== undefined) {
    const [delimiter, items] = object['Fn::Join'] as readonly [string, readonly unknown[]];
    return items.map(flatten).join(delimiter);
  }
  if (object['Fn::GetAtt'] !== undefined) {
    return `<${(object['Fn::GetAtt'] as readonly string[]).join('.')}>`;
  }
  return object['Ref'] === undefined ? JSON.stringify(reference) : `<${String(object['Ref'])}>`;
}
