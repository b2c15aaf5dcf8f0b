import { posix } from 'node:path';
import type { ChartRequest } from '../charts/chart-host.ts';
import { HoldfastError } from '../model/errors.ts';
import { sha256 } from '../model/ids.ts';
import type { RemoteChart } from '../model/application.ts';
import { EXTERNAL_DIRECTORY, type ClosureWalk } from './closure-walk.ts';
import { fileTreeReader } from './file-tree.ts';
import { renderRefused } from './repository-path.ts';

/** Always built in this order: its JSON names the directory. */
export function chartRequestOf(chart: RemoteChart): ChartRequest {
  const { repository, name, version, digest, credentials } = chart;
  return {
    repository,
    name,
    ...(version === undefined ? {} : { version }),
    ...(digest === undefined ? {} : { digest }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** Where what answers a request is put: the same place in a commit's walk and in an artefact's. */
export function chartMountPath(request: ChartRequest): string {
  const key = sha256(JSON.stringify(request)).slice(0, 16);
  return posix.join(EXTERNAL_DIRECTORY, 'charts', key, posix.basename(request.name));
}

/**
 * Puts a published chart into the walk, by the digest of its archive, and says where.
 * @param asked where the request is written, for messages
 * @throws HoldfastError what the chart host throws, with the place in front; `chart-unreachable` where there is no chart
 * host, `render-refused` for an artefact without it
 */
export async function fetchChart(
  walk: ClosureWalk,
  request: ChartRequest,
  asked: { readonly file: string; readonly where: string },
): Promise<string> {
  const path = chartMountPath(request);
  if (walk.isArtefact) {
    if ((await walk.look(posix.join(path, 'Chart.yaml')))?.type === 'blob') return path;
    const why = `the chart "${request.name}" is not in the artefact: have it rebuilt with "holdfast reconcile"`;
    throw renderRefused(asked.file, asked.where, why);
  }
  if (walk.isMounted(path)) return path;
  const charts = walk.elsewhere?.charts;
  if (charts === undefined) {
    throw new HoldfastError(
      'chart-unreachable',
      `${asked.file}: ${asked.where}: the chart "${request.name}" has to be fetched, and nothing is fetched here: ` +
        'run "helm dependency build" and keep charts/, or render it where the network may be used',
      { details: { path: asked.file } },
    );
  }
  try {
    const chart = await charts.fetch(request);
    walk.countUnpacked(chart.files);
    walk.mount(path, chart.digest, fileTreeReader(chart.files));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${asked.file}: ${asked.where}: ${error.message}`, {
      retryable: error.retryable,
      details: error.details,
      cause: error,
    });
  }
  return path;
}
