import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Code } from 'aws-cdk-lib/aws-lambda';

/** A folder with index.mjs in the directory of built functions. */
export type FunctionBundleName = 'webhook' | 'reconcile' | 'drift-scan';

const PACKAGE = 'holdfast';

/**
 * The built bundle of a function as an asset. The published package carries it; a clone has to build it once.
 * @throws Error that says what to run where it is missing
 */
export function functionCode(name: FunctionBundleName, directory: string = packagedFunctions()): Code {
  const file = path.join(directory, name, 'index.mjs');
  if (!existsSync(file)) {
    throw new Error(
      `the bundle of the ${name} function is not at ${file}: run "npm run build" in the Holdfast package, or correct functionsDirectory`,
    );
  }
  // Source maps are for whoever reads a stack trace, not for the function: they would double the upload.
  return Code.fromAsset(path.join(directory, name), { exclude: ['*.map'] });
}

/** dist/functions of this package, from its sources as well as from its bundle. */
function packagedFunctions(): string {
  for (let directory = import.meta.dirname; ; directory = path.dirname(directory)) {
    if (isPackageRoot(directory)) return path.join(directory, 'dist/functions');
    if (directory === path.dirname(directory)) {
      throw new Error(`no package "${PACKAGE}" above ${import.meta.dirname}: give functionsDirectory`);
    }
  }
}

function isPackageRoot(directory: string): boolean {
  const file = path.join(directory, 'package.json');
  if (!existsSync(file)) return false;
  const { name } = JSON.parse(readFileSync(file, 'utf8')) as { readonly name?: unknown };
  return name === PACKAGE;
}
