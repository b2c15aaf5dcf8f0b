import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

import type { ChartHost, ChartRequest, FetchedChart } from '../../../lib/charts/chart-host.ts';
import { readDefinitions } from '../../../lib/definitions/read-definitions.ts';
import type { Application } from '../../../lib/model/application.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import type { CommitSha, RootId } from '../../../lib/model/ids.ts';
import { sha256 } from '../../../lib/model/ids.ts';
import { DEFAULT_RENDER_LIMITS } from '../../../lib/render/limits.ts';
import { parseManifests } from '../../../lib/render/parse-manifests.ts';
import type { ExternalContent, RenderInput } from '../../../lib/render/renderer.ts';
import type { Elsewhere } from '../../../lib/source/closure-walk.ts';
import { localDirectoryReader, readLocalDirectory } from '../../../lib/source/local-directory.ts';

/** What a case gives beside its Application and its repository; all of it optional. */
interface CaseInput {
  readonly kubeVersion?: string;
  readonly apiVersions?: readonly string[];
  /** By externalKey(). */
  readonly values?: Readonly<Record<string, ExternalContent>>;
  /** Identities. */
  readonly age?: readonly string[];
  readonly normalise?: boolean;
}

export interface Case {
  readonly name: string;
  readonly directory: string;
  readonly repository: string;
  readonly application: Application;
  /** `normalise`: settled as for a destination without a cluster, as `holdfast render` does. */
  readonly normalise: boolean;
  /** What the destination says of its kinds: openapi.json of the case. */
  readonly openApi?: unknown;
  readonly input: Pick<RenderInput, 'kubeVersion' | 'apiVersions' | 'values' | 'keys'>;
  /** From the directories `published/<chart>/<version>` and `remote/<host>/<path>/<ref>` of the case. */
  readonly elsewhere: Elsewhere;
}

export const CORPUS = import.meta.dirname;

export const caseNames: readonly string[] = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

/** @throws where the Application of a case is none that an installation would take */
export function readCase(name: string): Case {
  const directory = join(CORPUS, name);
  const text = readFileSync(join(directory, 'application.yaml'), 'utf8');
  const parsed = parseManifests(
    text,
    ({ line }) => ({ file: 'application.yaml', line }),
    DEFAULT_RENDER_LIMITS,
  );
  const read = readDefinitions(parsed.manifests, { installation: 'corpus', root: 'root' as RootId });
  const faults = [...parsed.faults, ...read.errors].map(({ message }) => message);
  const [application] = read.applications;
  if (application === undefined || faults.length > 0) throw new Error(`${name}: ${faults.join('; ')}`);
  const openApi = join(directory, 'openapi.json');
  const inputFile = join(directory, 'input.yaml');
  const given = existsSync(inputFile)
    ? (parse(readFileSync(inputFile, 'utf8'), { version: '1.1' }) as CaseInput)
    : {};
  const { kubeVersion, apiVersions, values, age } = given;
  return {
    name,
    directory,
    repository: join(directory, 'repository'),
    application,
    normalise: given.normalise ?? false,
    ...(existsSync(openApi) ? { openApi: JSON.parse(readFileSync(openApi, 'utf8')) as unknown } : {}),
    input: {
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
      ...(apiVersions === undefined ? {} : { apiVersions }),
      ...(values === undefined ? {} : { values: new Map(Object.entries(values)) }),
      ...(age === undefined ? {} : { keys: { ageIdentities: age } }),
    },
    elsewhere: {
      ...(existsSync(join(directory, 'published')) ? { charts: publishedCharts(directory) } : {}),
      ...(existsSync(join(directory, 'remote')) ? { openBase: openRemote(directory) } : {}),
    },
  };
}

/** A chart host with exact versions only: what a range comes to is for the tests of the chart room. */
function publishedCharts(directory: string): ChartHost {
  return {
    fetch: async ({ name, version = '' }: ChartRequest): Promise<FetchedChart> => {
      const place = join(directory, 'published', name, version);
      if (!existsSync(place)) throw new HoldfastError('chart-not-found', `no chart ${name} ${version}`);
      const files = await readLocalDirectory(place);
      return { name, version, digest: `sha256:${sha256(place)}`, files };
    },
    close: async () => undefined,
  };
}

function openRemote(directory: string): NonNullable<Elsewhere['openBase']> {
  return async (url, ref = 'HEAD') => {
    const { host, pathname } = new URL(url);
    const place = join(directory, 'remote', host, pathname, ref);
    if (!existsSync(place)) throw new HoldfastError('git-ref-missing', `no ref ${ref} in ${url}`);
    const reader = await localDirectoryReader(place);
    // Its ids are places: what tells two repositories apart is the commit.
    return { ...reader, commit: sha256(place).slice(0, 40) as CommitSha };
  };
}
