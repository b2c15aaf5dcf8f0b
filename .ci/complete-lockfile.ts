import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Where the registry does not have the binaries of other platforms, `npm install` drops them from the lockfile, and
 * `npm ci` then refuses it everywhere. This puts them back: name and version as their parent asks for them, platform as
 * their name says, without the integrity that only the registry knows. Run it after every change of dependencies.
 */
interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

const file = path.join(import.meta.dirname, '../package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockedPackage> };
const added: [string, object][] = [];
for (const [parent, locked] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    const isKnown = [`node_modules/${name}`, `${parent}/node_modules/${name}`].some(
      (key) => key in lock.packages,
    );
    if (!isKnown) added.push([`node_modules/${name}`, entryOf(name, version, locked.dev === true)]);
  }
}
lock.packages = Object.fromEntries(
  Object.entries({ ...lock.packages, ...Object.fromEntries(added) }).sort(([a], [b]) =>
    a.localeCompare(b, 'en'),
  ),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added.length} packages of other platforms added to package-lock.json`);

function entryOf(name: string, version: string, isDev: boolean): object {
  const words = name.split(/[/-]/);
  const os = words.find((word) => SYSTEMS.includes(word));
  const cpu = words.find((word) => PROCESSORS.includes(word));
  if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+/.test(version)) {
    throw new Error(
      `${name}@${version} is not in the lockfile and is no binary of one platform: run npm install`,
    );
  }
  const libc = os === 'linux' ? words.find((word) => /^(gnu|musl)/.test(word)) : undefined;
  return {
    version,
    cpu: [cpu],
    ...(isDev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc.startsWith('musl') ? 'musl' : 'glibc'] }),
    optional: true,
    os: [os],
  };
}
