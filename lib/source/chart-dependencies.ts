import { posix } from 'node:path';
import { lockedVersions } from './chart-lock.ts';
import type { ClosureWalk } from './closure-walk.ts';
import { renderRefused } from './repository-path.ts';

type Fields = Readonly<Record<string, unknown>>;

/** One dependency as a chart declares it. */
export interface Dependency {
  /** Where it is declared, for messages. */
  readonly file: string;
  readonly where: string;
  readonly name: string;
  /** '' where none is given. */
  readonly repository: string;
  /** The version or range as declared. */
  readonly version: string | undefined;
}

export interface DeclaredDependencies {
  readonly list: readonly Dependency[];
  /**
   * The versions that the lock file beside the chart holds, by index of `list`; empty where there is no lock file.
   * @throws HoldfastError `render-refused` when it was written for other dependencies
   */
  locked(): Promise<readonly (string | undefined)[]>;
}

/** A chart's dependencies of Chart.yaml and, in the older format, of requirements.yaml. */
export async function declaredDependencies(
  walk: ClosureWalk,
  directory: string,
  chart: Fields,
): Promise<DeclaredDependencies> {
  const current = declaredIn(chart, posix.join(directory, 'Chart.yaml'));
  const legacyFile = posix.join(directory, 'requirements.yaml');
  const legacy = declaredIn((await readMapping(walk, legacyFile)) ?? {}, legacyFile);
  return {
    list: [...current, ...legacy].map(({ dependency }) => dependency),
    locked: async () => [
      ...(await lockOf(walk, posix.join(directory, 'Chart.lock'), current, chart)),
      ...(await lockOf(walk, posix.join(directory, 'requirements.lock'), legacy, chart)),
    ],
  };
}

interface Declared {
  readonly fields: Fields;
  readonly dependency: Dependency;
}

function declaredIn(mapping: Fields, file: string): readonly Declared[] {
  const declared = mapping['dependencies'];
  if (!Array.isArray(declared)) return [];
  return (declared as readonly unknown[]).flatMap((entry, index) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const fields = entry as Fields;
    const { name, repository, version } = fields;
    const where = `dependencies[${index}]`;
    // Names become directories in a chart.
    if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      throw renderRefused(
        file,
        `${where}.name`,
        'expected the name of a chart: letters, digits, dots and dashes',
      );
    }
    const wanted = typeof version === 'number' ? String(version) : version;
    return [
      {
        fields,
        dependency: {
          file,
          where,
          name,
          repository: typeof repository === 'string' ? repository.trim() : '',
          version: typeof wanted === 'string' && wanted !== '' ? wanted : undefined,
        },
      },
    ];
  });
}

async function lockOf(
  walk: ClosureWalk,
  file: string,
  declared: readonly Declared[],
  chart: Fields,
): Promise<readonly (string | undefined)[]> {
  const nothing = declared.map(() => undefined);
  const lock = declared.length === 0 ? undefined : await readMapping(walk, file);
  if (lock === undefined) return nothing;
  const locked = lockedVersions(
    declared.map(({ fields }) => fields),
    lock,
    chart['apiVersion'],
  );
  const fits = locked?.every(({ name }, index) => name === declared[index]?.dependency.name) === true;
  if (locked === undefined || !fits) {
    throw renderRefused(
      file,
      'digest',
      'was written for other dependencies than the chart has now: run "helm dependency update" and commit it',
    );
  }
  return locked.map(({ version }) => (version === '' ? undefined : version));
}

/** The first document of a YAML file that has to be a mapping or empty; undefined when there is no such file. */
export async function readMapping(walk: ClosureWalk, file: string): Promise<Fields | undefined> {
  const found = await walk.look(file);
  if (found?.type !== 'blob') return undefined;
  walk.addFile(file, found.oid, 'yaml');
  // Helm takes the last of two equal keys, and so do charts that were published with them.
  const [document = {}] = await walk.readYaml(file, found.oid, { uniqueKeys: false });
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw renderRefused(file, 'content', 'expected a mapping');
  }
  return document as Fields;
}
