import { Aws, Fn, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9]{0,58}[A-Za-z0-9])?$/;

/**
 * The installation's name: the one given, else the stack's name and the last part of its id. Two installations of one
 * name would take each other's objects for their own where they meet on a cluster, and a stack's name may come again in
 * another region or account.
 */
export function installationName(scope: Construct, given: string | undefined): string {
  if (given === undefined) {
    return `${Stack.of(scope).stackName}-${Fn.select(4, Fn.split('-', Fn.select(2, Fn.split('/', Aws.STACK_ID))))}`;
  }
  // It stands in the resources of policies, where a "*" would reach into other installations.
  if (!Token.isUnresolved(given) && !NAME.test(given)) {
    throw new Error(
      `installation: expected 1 to 60 letters, digits and dashes, none of them a dash at either end, got ${JSON.stringify(given)}`,
    );
  }
  return given;
}
