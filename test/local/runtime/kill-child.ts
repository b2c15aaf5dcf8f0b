// Runs in a process of its own, which the test kills: `node kill-child.ts <directory>`.
import { startEmulators } from '../../../lib/local/emulators.ts';
import { openStateDirectory } from '../../../lib/local/state-directory.ts';

const directory = process.argv[2] ?? '';
const state = await openStateDirectory(directory);
const emulators = await startEmulators({
  directory,
  accessKey: state.installation.accessKey,
  visibilityTimeoutSeconds: 3,
});
process.stdout.write(`${JSON.stringify({ endpoints: emulators.endpoints, queues: emulators.queues })}\n`);
