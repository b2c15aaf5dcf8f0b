import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import type { HoldfastProps } from '../../lib/cdk/holdfast-props.ts';
import { HoldfastStack } from '../../lib/cdk/holdfast-stack.ts';
import { buildFunctions } from '../../scripts/build-functions.ts';
import type { Stack } from './box-parts.ts';
import type { AssetManifest } from './read-functions.ts';
import type { Template } from './template.ts';

const STACK_NAME = 'Box';

/** Builds the functions, and synthesizes the stack as `cdk deploy` would take it, into a directory. */
export async function synthesize(directory: string, holdfast: HoldfastProps = {}): Promise<Stack> {
  const functionsDirectory = join(directory, 'functions');
  await buildFunctions({ directory: functionsDirectory });
  const outdir = join(directory, 'cdk.out');
  const app = new App({ outdir, analyticsReporting: false });
  const stack = new HoldfastStack(app, STACK_NAME, { holdfast: { functionsDirectory, ...holdfast } });
  app.synth();
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(join(outdir, file), 'utf8'));
  return {
    stackName: STACK_NAME,
    assembly: {
      template: (await read(stack.templateFile)) as Template,
      assets: (await read(`${STACK_NAME}.assets.json`)) as AssetManifest,
      directory: outdir,
    },
  };
}
