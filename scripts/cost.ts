import { pathToFileURL } from 'node:url';

// The table of docs/cost.md: `node scripts/cost.ts`. Every number that is not a price is an assumption of that page.

/** What is deployed. */
export interface Fleet {
  readonly applications: number;
  readonly clusters: number;
  readonly sources: number;
  readonly pushesPerDay: number;
}

/** US dollars in us-east-1; docs/cost.md says where each is from. */
export const PRICES = {
  lambdaArmGbSecond: 0.0000133334,
  lambdaX86GbSecond: 0.0000166667,
  lambdaRequest: 0.2e-6,
  httpApiRequest: 1e-6,
  sqsRequest: 0.4e-6,
  tableWrite: 0.625e-6,
  tableRead: 0.125e-6,
  secretMonth: 0.4,
  secretRequest: 5e-6,
  artefactPut: 5e-6,
  artefactGet: 0.4e-6,
  artefactGigabyteMonth: 0.023,
  logGigabyte: 0.5,
  metricMonth: 0.3,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  trace: 5e-6,
  argoHour: 0.03,
  argoApplicationHour: 0.0015,
} as const;

/** What Holdfast does, and how long it takes: the defaults of the construct, and assumptions. */
export const ASSUMED = {
  hours: 730,
  sweepsPerHour: 12,
  scansPerHour: 4,
  applicationsPerPush: 2,
  webhook: { seconds: 0.1, gigabytes: 0.5 },
  /** A look at a ref that has not moved, which goes through the applications of the source all the same. */
  look: { seconds: 0.5, secondsPerApplication: 0.01, gigabytes: 1.5 },
  /** Fetching a commit and finding what it touches. */
  fetch: { seconds: 3, gigabytes: 1.5 },
  /** Rendering, judging and applying one application. */
  run: { seconds: 5, gigabytes: 1.5 },
  scan: { secondsPerCluster: 1, secondsPerApplication: 0.03, gigabytes: 1 },
  readsPerLook: 4,
  readsPerLookedAtApplication: 3,
  writesPerLook: 1,
  readsPerRun: 40,
  writesPerRun: 20,
  readsPerScannedApplication: 8,
  writesPerScannedApplication: 2,
  readsPerSweep: 40,
  /** Each run is taken to have an artefact of its own, which the bucket keeps for three months. */
  artefactGigabytes: 0.0001,
  artefactMonths: 3,
  getsPerArtefact: 2,
  /** Five pollers for each of two queues, which wait 20 seconds. */
  emptyPollsPerHour: 2 * 5 * 180,
  requestsPerMessage: 3,
  logBytesPerInvocation: 2_000,
  metrics: 11,
  /** Some alarms watch several metrics. */
  alarmMetrics: 26,
  dashboards: 1,
} as const;

export interface Cost {
  readonly functions: number;
  readonly queues: number;
  readonly table: number;
  readonly artefacts: number;
  readonly secrets: number;
  readonly watching: number;
  readonly total: number;
  /** The same applications in the EKS Capability for Argo CD. */
  readonly managedArgo: number;
}

/** Dollars a month, without free tiers. */
export function monthlyCost({ applications, clusters, sources, pushesPerDay }: Fleet): Cost {
  const pushes = (pushesPerDay * ASSUMED.hours) / 24;
  const sweeps = ASSUMED.hours * ASSUMED.sweepsPerHour;
  const scans = ASSUMED.hours * ASSUMED.scansPerHour;
  const looks = sweeps * sources;
  const runs = pushes * ASSUMED.applicationsPerPush;
  const scannedApplications = scans * applications;
  const { secondsPerCluster, secondsPerApplication, gigabytes } = ASSUMED.scan;
  const scanSeconds = scans * clusters * secondsPerCluster + scannedApplications * secondsPerApplication;
  const arm = pushes * ASSUMED.webhook.seconds * ASSUMED.webhook.gigabytes + scanSeconds * gigabytes;
  const lookedAtApplications = sweeps * applications;
  const lookSeconds =
    (looks + sweeps) * ASSUMED.look.seconds + lookedAtApplications * ASSUMED.look.secondsPerApplication;
  const x86 =
    lookSeconds * ASSUMED.look.gigabytes +
    pushes * ASSUMED.fetch.seconds * ASSUMED.fetch.gigabytes +
    runs * ASSUMED.run.seconds * ASSUMED.run.gigabytes;
  const invocations = pushes * 2 + looks + sweeps + runs + scans;
  const messages = pushes + looks + runs;
  const reads =
    (looks + pushes) * ASSUMED.readsPerLook +
    lookedAtApplications * ASSUMED.readsPerLookedAtApplication +
    runs * ASSUMED.readsPerRun +
    scannedApplications * ASSUMED.readsPerScannedApplication +
    sweeps * ASSUMED.readsPerSweep;
  const writes =
    (looks + pushes) * ASSUMED.writesPerLook +
    runs * ASSUMED.writesPerRun +
    scannedApplications * ASSUMED.writesPerScannedApplication;

  const functions =
    arm * PRICES.lambdaArmGbSecond +
    x86 * PRICES.lambdaX86GbSecond +
    invocations * PRICES.lambdaRequest +
    pushes * PRICES.httpApiRequest;
  const queues =
    (messages * ASSUMED.requestsPerMessage + ASSUMED.hours * ASSUMED.emptyPollsPerHour) * PRICES.sqsRequest;
  const table = reads * PRICES.tableRead + writes * PRICES.tableWrite;
  const artefacts =
    runs * (PRICES.artefactPut + ASSUMED.getsPerArtefact * PRICES.artefactGet) +
    runs * ASSUMED.artefactMonths * ASSUMED.artefactGigabytes * PRICES.artefactGigabyteMonth;
  // Kept for five minutes, which is a sweep: each look reads its credential anew, each push the webhook's secret too,
  // each run the cluster's and the hash key, each scan the hash key.
  const secretRequests = looks + 2 * pushes + 2 * runs + scans;
  // The hash key, and of each source a webhook secret and a credential.
  const secrets = (1 + 2 * sources) * PRICES.secretMonth + secretRequests * PRICES.secretRequest;
  const watching =
    ((invocations * ASSUMED.logBytesPerInvocation) / 1e9) * PRICES.logGigabyte +
    ASSUMED.metrics * PRICES.metricMonth +
    ASSUMED.alarmMetrics * PRICES.alarmMetricMonth +
    ASSUMED.dashboards * PRICES.dashboardMonth +
    invocations * PRICES.trace;
  const managedArgo = ASSUMED.hours * (PRICES.argoHour + PRICES.argoApplicationHour * applications);
  const total = functions + queues + table + artefacts + secrets + watching;
  return { functions, queues, table, artefacts, secrets, watching, total, managedArgo };
}

export const FLEETS: readonly Fleet[] = [
  { applications: 10, clusters: 2, sources: 1, pushesPerDay: 20 },
  { applications: 50, clusters: 3, sources: 3, pushesPerDay: 40 },
  { applications: 200, clusters: 6, sources: 10, pushesPerDay: 100 },
  { applications: 500, clusters: 10, sources: 25, pushesPerDay: 200 },
];

const COLUMNS = [
  'applications',
  'clusters',
  'repositories',
  'pushes a day',
  'functions',
  'queues',
  'table',
  'artefacts',
  'secrets',
  'logs, metrics, alarms, dashboard, traces',
  '**Holdfast**',
  'EKS Capability for Argo CD',
];

export function costTable(fleets: readonly Fleet[] = FLEETS): string {
  const rows = fleets.map((fleet) => {
    const cost = monthlyCost(fleet);
    return [
      ...[fleet.applications, fleet.clusters, fleet.sources, fleet.pushesPerDay].map(String),
      ...[cost.functions, cost.queues, cost.table, cost.artefacts, cost.secrets, cost.watching].map(dollars),
      `**${dollars(cost.total)}**`,
      dollars(cost.managedArgo),
    ];
  });
  return [COLUMNS, COLUMNS.map(() => '---:'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function dollars(value: number): string {
  return `$${value.toFixed(2)}`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(costTable());
}
