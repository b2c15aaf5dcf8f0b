#!/usr/bin/env node
// Plain JavaScript that any Node can read: it finds a Node that can run the rest, or says what is needed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// TypeScript is run as it is from 22.18 and 23.6 on, without a flag; the packages want 22.19 or newer.
const MIN_MAJOR = 22;
const MIN_MINOR = 19;
const PREFERRED_MAJOR = 24;
const MARK = 'HOLDFAST_REEXECUTED';

const version = process.versions.node;
const major = Number(version.split('.')[0]);
const minor = Number(version.split('.')[1]);
const isAble =
  (major > MIN_MAJOR || (major === MIN_MAJOR && minor >= MIN_MINOR)) && !(major === 23 && minor < 6);

const bundled = major >= PREFERRED_MAJOR || process.env[MARK] ? undefined : findBundledNode();
if (bundled !== undefined) {
  runWith(bundled);
} else if (isAble) {
  silenceExperimentalWarnings();
  const { main } = await import('../lib/cli/main.ts');
  await main(process.argv.slice(2));
} else {
  console.error(
    `holdfast needs Node.js ${MIN_MAJOR}.${MIN_MINOR} or newer (${PREFERRED_MAJOR} is best), and this is ${version}: ` +
      'run "npm ci", which brings one on glibc Linux, or put a newer one on the PATH',
  );
  process.exitCode = 1;
}

/** npm installs a Node of its own as an optional dependency, where there is one for the machine. */
function findBundledNode() {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined;
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const path = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  return existsSync(path) ? path : undefined;
}

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  // A terminal sends Ctrl-C to both; the child decides when it is done. Other signals come to this process alone.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    console.error(`holdfast: ${node} cannot be run (${error.code}): run "npm ci" again`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
    } else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

/** SQLite and type stripping are called experimental by some versions of Node; that is nobody's business here. */
function silenceExperimentalWarnings() {
  const listeners = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') for (const listener of listeners) listener(warning);
  });
}
