import { readFileSync } from 'node:fs';
import path from 'node:path';

interface Lockfile {
  readonly packages: Readonly<
    Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >;
}

describe('package-lock.json', () => {
  it('names the binaries of every platform, without which npm ci refuses it (node .ci/complete-lockfile.ts)', () => {
    const file = path.join(import.meta.dirname, '../package-lock.json');
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as Lockfile;

    const missing = Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${parent}/node_modules/${name}` in packages),
      ),
    );

    expect(missing).toEqual([]);
  });
});
