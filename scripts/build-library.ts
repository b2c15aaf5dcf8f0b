import path from 'node:path';
import { build } from 'esbuild';

// The construct as another CDK app imports it: Node runs no TypeScript below node_modules. The packages that both sides
// must share, above all aws-cdk-lib, stay imports.

const REPOSITORY = path.join(import.meta.dirname, '..');

await build({
  entryPoints: [path.join(REPOSITORY, 'lib/index.ts')],
  outfile: path.join(REPOSITORY, 'dist/index.js'),
  absWorkingDir: REPOSITORY,
  bundle: true,
  packages: 'external',
  platform: 'node',
  // The CDK of a user may run on an older Node than the functions do.
  target: 'node20.19',
  format: 'esm',
  keepNames: true,
  sourcemap: 'linked',
  logLevel: 'warning',
});
