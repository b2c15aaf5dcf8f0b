import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** A folder of functions/ and of dist/functions/ each. */
export const FUNCTION_BUNDLES = ['webhook', 'reconcile', 'drift-scan'] as const;
export type FunctionBundle = (typeof FUNCTION_BUNDLES)[number];

const REPOSITORY = path.join(import.meta.dirname, '..');

/** CommonJS packages inside an ES module ask for `require`, which Node does not give to modules. */
const REQUIRE_BANNER =
  "import { createRequire as holdfastCreateRequire } from 'node:module'; const require = holdfastCreateRequire(import.meta.url);";

export interface BuildOptions {
  /** @default dist/functions of this package */
  readonly directory?: string;
  readonly only?: readonly FunctionBundle[];
}

export interface BuiltFunction {
  readonly name: FunctionBundle;
  /** `<directory>/<name>/index.mjs` */
  readonly file: string;
  readonly bytes: number;
}

/**
 * Bundles each function into one ES module for Node 24, `<directory>/<name>/index.mjs` with the export `handler`, and
 * its source map beside it. Everything comes from this package: the runtime's own AWS SDK is not used, because its
 * version changes under a deployed function.
 */
export async function buildFunctions(options: BuildOptions = {}): Promise<readonly BuiltFunction[]> {
  const directory = options.directory ?? path.join(REPOSITORY, 'dist/functions');
  const built: BuiltFunction[] = [];
  for (const name of options.only ?? FUNCTION_BUNDLES) {
    // What an earlier build left must not become part of the asset.
    await rm(path.join(directory, name), { recursive: true, force: true });
    await mkdir(path.join(directory, name), { recursive: true });
    built.push(await buildFunction(name, path.join(directory, name, 'index.mjs')));
  }
  return built;
}

async function buildFunction(name: FunctionBundle, file: string): Promise<BuiltFunction> {
  const { metafile } = await build({
    entryPoints: [path.join(REPOSITORY, 'functions', name, 'handler.ts')],
    outfile: file,
    // So that paths in source maps do not depend on where the build runs, and with them the asset's hash.
    absWorkingDir: REPOSITORY,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    minify: true,
    // Names of errors are read by people and by the retry policies of the SDK.
    keepNames: true,
    treeShaking: true,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: REQUIRE_BANNER },
    metafile: true,
    logLevel: 'warning',
  });
  const output = Object.entries(metafile.outputs).find(([output]) => output.endsWith('index.mjs'));
  return { name, file, bytes: output?.[1].bytes ?? 0 };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, file, bytes } of await buildFunctions()) {
    console.log(`${name}: ${path.relative(process.cwd(), file)}, ${(bytes / 1024 / 1024).toFixed(2)} MB`);
  }
}
