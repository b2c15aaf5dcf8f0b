import type { ChartHost } from '../charts/chart-host.ts';
import { HoldfastError } from '../model/errors.ts';
import type { OpenElsewhere } from '../reconcile/deps.ts';
import {
  createRemoteBases,
  parseAllowedBases,
  type RemoteBasesDependencies,
} from '../source/remote-bases.ts';
import type { Environment } from './names.ts';

/** What an installation may read that lies in none of its sources. */
export interface ElsewhereOptions {
  /** Hosts and origins of bases that kustomizations may refer to; see parseAllowedBases. @default none */
  readonly remoteBases?: readonly string[];
  /** scheme://host[:port] of chart repositories that may be plain http and have private addresses. @default none */
  readonly chartOrigins?: readonly string[];
}

/** Both comma separated. */
export const REMOTE_BASES_VARIABLE = 'HOLDFAST_REMOTE_BASES';
export const CHART_ORIGINS_VARIABLE = 'HOLDFAST_CHART_ORIGINS';

/** @throws HoldfastError `invalid-input` for an entry that is neither a host nor an origin */
export function elsewhereFromEnvironment(environment: Environment): ElsewhereOptions {
  const options = {
    remoteBases: listIn(environment[REMOTE_BASES_VARIABLE]),
    chartOrigins: listIn(environment[CHART_ORIGINS_VARIABLE]),
  };
  checkElsewhere(options);
  return options;
}

/** The variables of a function that has these options. @throws as elsewhereFromEnvironment */
export function elsewhereToEnvironment(options: ElsewhereOptions): Record<string, string> {
  checkElsewhere(options);
  const { remoteBases = [], chartOrigins = [] } = options;
  return {
    ...(remoteBases.length === 0 ? {} : { [REMOTE_BASES_VARIABLE]: remoteBases.join(',') }),
    ...(chartOrigins.length === 0 ? {} : { [CHART_ORIGINS_VARIABLE]: chartOrigins.join(',') }),
  };
}

/** For SourceStageDeps: what one run sees of the rest of the world. */
export function openElsewhere(
  parts: { readonly git: RemoteBasesDependencies['git']; readonly charts: ChartHost },
  { remoteBases = [] }: ElsewhereOptions,
): () => OpenElsewhere {
  // Once, so that a wrong entry is told when the installation starts.
  parseAllowedBases(remoteBases);
  return () => {
    const bases = createRemoteBases({ git: parts.git, allowed: remoteBases });
    return { elsewhere: { charts: parts.charts, openBase: bases.open }, close: bases.close };
  };
}

function checkElsewhere({ remoteBases = [], chartOrigins = [] }: ElsewhereOptions): void {
  parseAllowedBases(remoteBases);
  for (const entry of chartOrigins) {
    const url = URL.parse(entry);
    if (
      url !== null &&
      /^https?:$/.test(url.protocol) &&
      url.origin === entry.toLowerCase().replace(/\/$/, '')
    )
      continue;
    throw new HoldfastError(
      'invalid-input',
      `chart origins: ${JSON.stringify(entry)} is no origin such as http://charts.internal:8080`,
    );
  }
}

function listIn(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
