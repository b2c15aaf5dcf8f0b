import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Adds up jest's JSON results of one directory and prints `N passed, N failed, N skipped`. A test file that ran in
 * several of them counts with its last run only, in the order of the results' names: the plain run lists the cluster
 * suite as skipped, and the run on clusters replaces that.
 */
interface Results {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

const directory = process.argv[2] ?? '.';
const byFile = new Map<string, { passed: number; failed: number; skipped: number }>();
for (const name of readdirSync(directory)
  .filter((each) => each.endsWith('.json'))
  .sort()) {
  const results = JSON.parse(readFileSync(path.join(directory, name), 'utf8')) as Results;
  for (const file of results.testResults) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    // A file that could not even be loaded has no tests to count, and is a failure all the same.
    if (file.status === 'failed' && counts.failed === 0) counts.failed = 1;
    byFile.set(file.name, counts);
  }
}
const total = { passed: 0, failed: 0, skipped: 0 };
for (const { passed, failed, skipped } of byFile.values()) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
