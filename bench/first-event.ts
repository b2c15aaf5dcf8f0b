import { pathToFileURL } from 'node:url';

// A fresh process: imports a bundle, has it handle one event, and says how long ago the process was started.

const [file = '', event = '{}'] = process.argv.slice(2);
const context = { awsRequestId: 'bench', getRemainingTimeInMillis: () => 60_000 };
const { handler } = (await import(pathToFileURL(file).href)) as {
  readonly handler: (event: unknown, context: unknown) => Promise<unknown>;
};
const importedMs = performance.now();
const answer = await handler(JSON.parse(event), context);
const handledMs = performance.now();
const { user, system } = process.cpuUsage();
process.send?.({ importedMs, handledMs, cpuMs: (user + system) / 1000, answer }, () => process.disconnect());
