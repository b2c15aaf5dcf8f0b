import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** A folder of functions/ and of dist/functions/ each. */
export const FUNCTION_BUNDLES = ['webhook', 'reconcile', 'drift-scan'] as const;
export type FunctionBundle = (typeof FUNCTION_BUNDLES)[number];

const REPOSITORY = path.join(import.meta.dirname, '..');

/** CommonJS packages inside an ES module ask for `require`, which Node does not give to modules. */
const REQUIRE_BANNER =
  "import { createRequire as holdfastCreateRequire } from 'node:module'; const require = holdfastCreateRequire(import.meta.url);";

/** The package itself, not the files below it. */
const SLIM_UNDICI: Plugin = {
  name: 'slim-undici',
  setup: (build) => {
    build.onResolve({ filter: /^undici$/ }, () => ({
      path: path.join(REPOSITORY, 'scripts/undici-slim.js'),
    }));
  },
};

/**
 * An ES import of node:http reads every export of it, also the lazy ones, and so loads Node's own undici, which takes
 * longer than the rest of a cold start's imports. `require` does not.
 */
const REQUIRED_HTTP: Plugin = {
  name: 'required-http',
  setup: (build) => {
    build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'http', namespace: 'required' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'required' }, () => ({
      contents: "module.exports = require('node:http');",
      loader: 'js',
    }));
  },
};

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
  const directory = path.resolve(options.directory ?? path.join(REPOSITORY, 'dist/functions'));
  const built: BuiltFunction[] = [];
  for (const name of options.only ?? FUNCTION_BUNDLES) {
    built.push(await buildFunction(name, path.join(directory, name)));
  }
  return built;
}

async function buildFunction(name: FunctionBundle, directory: string): Promise<BuiltFunction> {
  const file = path.join(directory, 'index.mjs');
  const { outputFiles } = await build({
    entryPoints: [path.join(REPOSITORY, 'functions', name, 'handler.ts')],
    outfile: file,
    // So that paths in source maps do not depend on where the build runs, and with them the asset's hash.
    absWorkingDir: REPOSITORY,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    plugins: [SLIM_UNDICI, REQUIRED_HTTP],
    minify: true,
    // Names of errors are read by people and by the retry policies of the SDK.
    keepNames: true,
    treeShaking: true,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: REQUIRE_BANNER },
    write: false,
    logLevel: 'warning',
  });
  // Moved into place whole: a deployment beside a build finds the former bundle or the new one, never none.
  const fresh = `${directory}.${process.pid}.new`;
  await mkdir(fresh, { recursive: true });
  for (const output of outputFiles) {
    await writeFile(path.join(fresh, path.basename(output.path)), output.contents);
  }
  await mkdir(directory, { recursive: true });
  for (const { path: output } of outputFiles) {
    await rename(path.join(fresh, path.basename(output)), output);
  }
  await rm(fresh, { recursive: true });
  // What an earlier build left must not become part of the asset.
  const written = new Set(outputFiles.map((output) => path.basename(output.path)));
  for (const name of await readdir(directory)) {
    if (!written.has(name)) await rm(path.join(directory, name), { recursive: true, force: true });
  }
  const bundle = outputFiles.find((output) => output.path === file);
  return { name, file, bytes: bundle?.contents.byteLength ?? 0 };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const { name, file, bytes } of await buildFunctions()) {
    console.log(`${name}: ${path.relative(process.cwd(), file)}, ${(bytes / 1024 / 1024).toFixed(2)} MB`);
  }
}
