import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Holdfast } from './holdfast.ts';
import type { HoldfastProps } from './holdfast-props.ts';

export interface HoldfastStackProps extends StackProps {
  /** Or a function of the stack, in which existing resources can be imported. @default every default of Holdfast */
  readonly holdfast?: HoldfastProps | ((stack: Stack) => HoldfastProps);
}

/** One installation as one stack. Its outputs are what the command line finds the installation by. */
export class HoldfastStack extends Stack {
  readonly holdfast: Holdfast;

  constructor(scope: Construct, id: string, { holdfast, ...props }: HoldfastStackProps = {}) {
    super(scope, id, { description: 'Holdfast: serverless GitOps for Kubernetes', ...props });
    this.holdfast = new Holdfast(
      this,
      'Holdfast',
      typeof holdfast === 'function' ? holdfast(this) : holdfast,
    );
    for (const [name, output] of Object.entries(this.holdfast.outputs)) output.overrideLogicalId(name);
  }
}
