import { join } from 'node:path';

import type { Application, RemoteChart } from '../../../lib/model/application.ts';
import type { ErrorCode } from '../../../lib/model/errors.ts';
import { createGitHost } from '../../../lib/source/git-host.ts';
import type { ResolveHost } from '../../../lib/source/network-policy.ts';
import { createRemoteBases } from '../../../lib/source/remote-bases.ts';
import {
  aChart as aPackedChart,
  chartWorld,
  hexOf,
  indexOf,
  type ChartWorld,
} from '../../charts/chart-world.ts';
import { gitSecrets, gitWorld, type FileContent, type GitWorld } from '../../support/git-world.ts';
import { configMap } from '../rendering.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { aChart, attack, CHART, expectEnd, withCanary } from './attack.ts';
import type { End } from './attack.ts';

const canary = withCanary();

let charts: ChartWorld;
let world: GitWorld;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  charts = await chartWorld();
  world = await gitWorld();
});

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

afterAll(async () => {
  await charts.close();
  await world.close();
});

const at =
  (address: string): ResolveHost =>
  (_hostname, _options, callback) =>
    callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
const runtime = () => `${canary().url}/2018-06-01/runtime/invocation/next`;

/** Addresses that no repository has, as they can be written. */
const INTERNAL = [
  'https://127.0.0.1',
  'https://127.1',
  'https://2130706433',
  'https://0x7f000001',
  'https://0177.0.0.1',
  'https://0.0.0.0',
  'https://[::1]',
  'https://[::ffff:127.0.0.1]',
  'https://[::ffff:7f00:1]',
  'https://[64:ff9b::7f00:1]',
  'https://169.254.169.254',
  'https://[fd00:ec2::254]',
  'https://10.0.0.1',
  'https://192.168.0.1',
  'https://１２７.0.0.1',
];

const fetching = (chart: RemoteChart): Partial<Application> => ({
  path: 'values',
  render: { tool: 'helm', helm: { chart } },
});
const depending = (repository: string) => ({
  'app/Chart.yaml': `${CHART}dependencies: ${JSON.stringify([{ name: 'podinfo', version: '1.2.3', repository }])}\n`,
});

withTools(`a chart from elsewhere reaches no address of ours${whySkipped}`, () => {
  it.each(INTERNAL)('that is written as %s', async (address) => {
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [] }) };
    const chart = { repository: `${address}/charts`, name: 'podinfo' };
    const refused: End = { code: 'chart-refused' };

    await expectEnd({ files: { 'values/a.yaml': '' }, facts: fetching(chart), elsewhere }, refused);
    await expectEnd({ files: aChart(depending(chart.repository)), elsewhere }, refused);
    await expectEnd(
      { files: aChart(depending(chart.repository.replace('https', 'oci'))), elsewhere },
      refused,
    );
  });

  it.each(['127.0.0.1', '::1', '169.254.169.254', '10.1.2.3', '::ffff:10.1.2.3'])(
    'that a name turns out to have: %s',
    async (address) => {
      const elsewhere = { charts: charts.aHost({ allowedOrigins: [], lookup: at(address) }) };

      await expectEnd(
        { files: aChart(depending('https://rebinding.example.com/charts')), elsewhere },
        { code: 'chart-refused', says: 'app/Chart.yaml: dependencies[0]' },
      );
    },
  );

  it.each([
    ['over http', () => canary().url],
    ['of a file', () => `file://${canary().file}`],
    ['of git::', () => `git::${canary().url}`],
    ['of a getter', () => `s3::${canary().url}`],
    ['of ext::', () => 'ext::sh -c id'],
    ['with a password', () => 'https://user:hunter2@charts.example.com'],
    ['with an option', () => '--repo-config=/etc/passwd'],
  ])('by a repository %s', async (_name, repository) => {
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [] }) };
    const chart = { repository: repository(), name: 'podinfo' };

    const outcome = await attack({ files: { 'values/a.yaml': '' }, facts: fetching(chart), elsewhere });

    expect(outcome.code).toBe('chart-refused');
    expect(outcome.message).not.toContain('hunter2');
  });

  it.each(['../x', '-x', 'a/../../b', '/etc/passwd', 'x\0y', '.git', '..', 'a?b', 'a#b', 'a%2f..%2fb'])(
    'by a chart named %j',
    async (name) => {
      const elsewhere = { charts: charts.aHost() };

      await expectEnd(
        {
          files: { 'values/a.yaml': '' },
          facts: fetching({ repository: 'https://charts.example.com', name }),
          elsewhere,
        },
        { code: 'chart-refused' },
      );
    },
  );

  it('by a redirect', async () => {
    const server = await charts.serve((_request, response) =>
      response.writeHead(302, { location: runtime() }).end(),
    );
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [server.origin] }) };

    await expectEnd({ files: aChart(depending(server.url)), elsewhere }, { code: 'chart-refused' });
  });

  it.each([
    ['absolute', () => runtime()],
    ['without a scheme', () => runtime().replace('http:', '')],
    ['of a file', () => `file://${canary().file}`],
    ['of a registry', () => canary().url.replace('http', 'oci') + '/charts/podinfo:1.2.3'],
    ['with a password', () => runtime().replace('http://', 'http://user:pw@')],
  ])('by the address of an archive in an index: %s', async (_name, url) => {
    const server = await charts.serve((_request, response) =>
      response.end(indexOf('podinfo', [{ version: '1.2.3', url: url() }])),
    );
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [server.origin] }) };

    const outcome = await attack({ files: aChart(depending(server.url)), elsewhere });

    expect(outcome.code).toMatch(/^chart-(?:refused|corrupt)$/);
  });

  it('by the place where a registry gives tokens', async () => {
    const server = await charts.serve((_request, response) =>
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="${runtime()}",service="x",scope="y"` })
        .end(),
    );
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [server.origin] }) };
    const repository = `${server.url.replace('http', 'oci')}/charts`;

    const outcome = await attack({ files: aChart(depending(repository)), elsewhere });

    expect(outcome.code).toMatch(/^chart-(?:refused|authentication)$/);
  });

  it('by the next page of a registry', async () => {
    const server = await charts.serve((_request, response) =>
      response
        .writeHead(200, { link: `<${runtime()}>; rel="next"`, 'content-type': 'application/json' })
        .end('{"name":"charts/podinfo","tags":["0.0.1"]}'),
    );
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [server.origin] }) };
    const repository = `${server.url.replace('http', 'oci')}/charts`;
    const chart = { repository, name: 'podinfo', version: '>=1' };

    const outcome = await attack({ files: { 'values/a.yaml': '' }, facts: fetching(chart), elsewhere });

    expect(outcome.code).toMatch(/^chart-/);
  });

  it('by what it says about its dependencies', async () => {
    const archive = await aPackedChart({
      files: {
        'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: 1.2.3\ndependencies: [{name: x, version: "1", repository: "${canary().url}"}]\n`,
      },
    });
    const index = indexOf('podinfo', [{ version: '1.2.3', digest: hexOf(archive) }]);
    const server = await charts.serveFiles({ 'index.yaml': index, 'podinfo-1.2.3.tgz': archive });
    const elsewhere = { charts: charts.aHost({ allowedOrigins: [server.origin] }) };

    await expectEnd(
      { files: aChart(depending(server.url)), elsewhere },
      { code: 'render-refused', says: 'published chart' },
    );
  });

  it('by an index without an end', async () => {
    const server = await charts.serve((_request, response) => {
      response.on('error', () => undefined);
      const write = (): void => {
        while (!response.destroyed && response.write('#'.repeat(65_536)));
      };
      response.on('drain', write);
      write();
    });
    const elsewhere = {
      charts: charts.aHost({ allowedOrigins: [server.origin], limits: { maxIndexBytes: 1_000_000 } }),
    };

    // CVE-2024-29893.
    await expectEnd({ files: aChart(depending(server.url)), elsewhere }, { code: 'chart-too-large' });
  });
});

withTools(`a base from elsewhere reaches no address of ours${whySkipped}`, () => {
  /** The source stage of an installation that allows these. */
  function basesOf(allowed: readonly string[], lookup?: ResolveHost) {
    const git = createGitHost({
      secrets: gitSecrets({}),
      cacheDirectory: join(world.directory, `cache-${Math.random()}`),
      limits: { timeoutMs: 10_000 },
      ...(lookup === undefined ? {} : { lookup }),
    });
    const bases = createRemoteBases({ git, allowed });
    closing.push(async () => {
      await bases.close();
      await git.close();
    });
    return { openBase: bases.open };
  }

  const naming = (entry: string, field = 'resources') => ({
    'app/kustomization.yaml': JSON.stringify({ [field]: [entry] }),
  });

  it.each(INTERNAL)('that is written as %s', async (address) => {
    for (const field of ['resources', 'bases', 'components']) {
      await expectEnd(
        { files: naming(`${address}/org/repo//base?ref=main`, field), elsewhere: basesOf(['github.com']) },
        { code: 'render-refused', says: 'are not fetched from' },
      );
    }
  });

  it.each(['127.0.0.1', '::1', '169.254.169.254', '10.1.2.3'])(
    'that an allowed name turns out to have: %s',
    async (address) => {
      const elsewhere = basesOf(['github.com'], at(address));

      await expectEnd(
        { files: naming('https://github.com/org/repo//base?ref=main'), elsewhere },
        { code: 'git-refused', says: 'app/kustomization.yaml: resources[0]' },
      );
    },
  );

  it.each<readonly [string, () => string]>([
    ['ext::', () => 'ext::sh -c id'],
    ['git:: of ext::', () => 'git::ext::sh -c id'],
    ['file://', () => `file://${world.bare}//base`],
    ['git:: of file://', () => `git::file://${world.bare}//base`],
    ['ssh://', () => 'ssh://-oProxyCommand=id/org/repo'],
    ['the form of scp', () => '-oProxyCommand=id@github.com:org/repo'],
    ['git://', () => 'git://github.com/org/repo'],
    ['an allowed host with a user', () => 'https://x:hunter2@github.com/org/repo'],
    ['an allowed host as a user', () => `https://github.com@${canary().url.slice(7)}/org/repo`],
    ['an allowed host in a fragment', () => `${canary().url}/org/repo#github.com/x`],
    ['an allowed host with another port', () => 'https://github.com:8443/org/repo'],
    ['an allowed host behind a dot', () => 'https://github.com.evil.test/org/repo'],
    ['an allowed host with a backslash', () => `https://${canary().url.slice(7)}\\@github.com/org/repo`],
    ['a ref that is an option', () => 'https://github.com/org/repo//base?ref=--upload-pack=id'],
    ['a ref that is a path', () => 'https://github.com/org/repo//base?ref=../../x'],
    ['a directory that leads out', () => 'https://github.com/org/repo//../../x'],
    ['a single file', () => 'https://github.com/org/repo/raw/main/a.yaml'],
    ['a parameter', () => 'https://github.com/org/repo//base?sshkey=x'],
  ])('by %s', async (_name, entry) => {
    const outcome = await attack({
      files: naming(entry()),
      elsewhere: basesOf(['github.com'], at('127.0.0.1')),
    });

    expect(outcome.code).toBe('render-refused');
    expect(outcome.message).toMatch(/^app\/kustomization.yaml: resources\[0\]: /);
    expect(outcome.message).not.toContain('hunter2');
  });

  it('by a redirect', async () => {
    const server = await charts.serve((_request, response) =>
      response.writeHead(302, { location: runtime() }).end(),
    );

    await expectEnd(
      { files: naming(`${server.url}/org/repo.git//base?ref=main`), elsewhere: basesOf([server.origin]) },
      { code: 'git-refused' },
    );
  });

  it.each<readonly [string, () => Readonly<Record<string, FileContent>>, ErrorCode]>([
    ['a URL', () => ({ 'base/kustomization.yaml': `resources: ["${runtime()}"]` }), 'render-refused'],
    [
      'a repository',
      () => ({ 'base/kustomization.yaml': `resources: ["${canary().url}/org/repo//x"]` }),
      'render-refused',
    ],
    [
      'a path out of its repository',
      () => ({ 'base/kustomization.yaml': 'resources: [../../../app]' }),
      'render-refused',
    ],
    [
      'a path into ours',
      () => ({ 'base/kustomization.yaml': 'resources: [../../../../neighbour/canary.yaml]' }),
      'render-refused',
    ],
    [
      'a symbolic link',
      () => ({ 'base/kustomization.yaml': 'resources: [l.yaml]', 'base/l.yaml': { link: canary().file } }),
      'render-refused',
    ],
    [
      'a plug-in',
      () => ({
        'base/kustomization.yaml': 'generators: [g.yaml]',
        'base/g.yaml': 'apiVersion: x/v1\nkind: Sh\nmetadata: {name: a}\n',
      }),
      'render-refused',
    ],
    [
      'what only the tool sees',
      () => ({
        'base/kustomization.yaml': `resources: [a.yaml]\nopenapi: {!!merge <<: {path: "${runtime()}"}}\n`,
        'base/a.yaml': configMap('a'),
      }),
      'render-failed',
    ],
  ])('by a base that names %s', async (_name, files, code) => {
    await world.commit({ base: null, ...files() });
    await world.push('--force', 'main');
    const elsewhere = basesOf([new URL(world.source.url).origin]);

    await expectEnd({ files: naming(`${world.source.url}//base?ref=main`), elsewhere }, { code });
  });
});
