import type { Application } from '../../lib/model/application.ts';
import type { ChartHost } from '../../lib/charts/chart-host.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure, walkInputs, type Closure } from '../../lib/source/closure.ts';
import { EXTERNAL_DIRECTORY } from '../../lib/source/closure-walk.ts';
import { fileTreeReader } from '../../lib/source/file-tree.ts';
import { memoryCommit } from '../support/memory-commit.ts';
import { aChartHost, anArchive, withHelm, type Files } from '../render/charts.ts';
import { anApplication } from '../render/rendering.ts';

interface Given {
  readonly files: Files;
  readonly facts?: Partial<Application>;
  readonly charts?: ChartHost;
}

function closureOf({ files, facts = {}, charts }: Given): Promise<Closure> {
  return inputClosure({
    reader: memoryCommit(files),
    application: anApplication(facts),
    salt: [],
    ...(charts === undefined ? {} : { elsewhere: { charts } }),
  });
}

function filesOf(closure: Pick<Closure, 'entries'>): readonly string[] {
  return closure.entries.filter(({ type }) => type === 'blob').map(({ path }) => path);
}

/** What the renderer finds in the artefact of such a commit. */
async function walkedAgain(given: Given) {
  const artefact = await packArtefact(await closureOf(given));
  const walked = await walkInputs({
    reader: fileTreeReader(unpackArtefact(artefact.digest, artefact.bytes)),
    application: anApplication(given.facts ?? {}),
    isArtefact: true,
  });
  if (walked === undefined) throw new Error('nothing there');
  return walked;
}

async function refusal(given: Given): Promise<{ code: string; message: string }> {
  return closureOf(given).then(
    () => ({ code: 'none', message: 'was taken' }),
    ({ code, message }: { code: string; message: string }) => ({ code, message }),
  );
}

const chart = {
  'app/Chart.yaml': 'name: app\nversion: 1.0.0',
  'app/values.yaml': '',
  'app/templates/a.yaml': '',
  'app/x.tpl': '',
};
const depending = (...dependencies: readonly string[]): Files => ({
  ...chart,
  'app/Chart.yaml': `apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies: [${dependencies.join(', ')}]`,
});

describe('a chart', () => {
  it('is taken whole, with the charts beside it that it depends on', async () => {
    const closure = await closureOf({
      files: {
        ...depending('{name: common, repository: "file://../common"}'),
        'common/Chart.yaml': 'name: common',
        'common/templates/_x.tpl': '',
        'other/Chart.yaml': 'name: other',
      },
    });

    expect(filesOf(closure)).toEqual(
      [...Object.keys(chart), 'common/Chart.yaml', 'common/templates/_x.tpl'].sort(),
    );
  });

  it('needs nothing else for a dependency that is vendored, whatever its repository says', async () => {
    const archive = await anArchive({ 'redis/Chart.yaml': 'name: redis\nversion: 1.2.3' });
    const closure = await closureOf({
      files: {
        ...depending(
          '{name: redis, repository: "https://x"}',
          '{name: sub, repository: "file://../../../away"}',
        ),
        'app/charts/redis-1.2.3.tgz': archive,
        'app/charts/sub/Chart.yaml':
          'name: sub\ndependencies: [{name: common, repository: "file://../../../common"}]',
        'common/Chart.yaml': 'name: common',
      },
    });

    expect(filesOf(closure)).toContain('common/Chart.yaml');
  });

  it.each([
    ['a chart out of the repository', depending('{name: x, repository: "file://../../x"}'), /leads out/],
    [
      'a chart that is not there',
      depending('{name: x, repository: "file://../x"}'),
      /x\/Chart.yaml does not exist/,
    ],
    ['a circle', depending('{name: x, repository: "file://."}'), /circle/],
    ['a dependency without a name', depending('{repository: "file://."}'), /expected the name of a chart/],
    [
      'a chart in what comes from elsewhere',
      depending(`{name: x, repository: "file://../${EXTERNAL_DIRECTORY}/charts/0/x"}`),
      /reserved/,
    ],
    [
      'a repository that only a plug-in reads',
      depending('{name: x, repository: "s3://x"}'),
      /expected https/,
    ],
    ['a symlink in it', { ...chart, 'app/templates/l': { type: 'symlink' } }, /symbolic/],
    ['a Chart.yaml that is no mapping', { ...chart, 'app/Chart.yaml': '[]' }, /expected a mapping/],
  ] as readonly [string, Files, RegExp][])('refuses %s', async (_, files, message) => {
    const refused = await refusal({ files });

    expect(refused.code).toBe('render-refused');
    expect(refused.message).toMatch(message);
  });
});

describe('a chart from elsewhere', () => {
  const redis = {
    'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 18.0.1\n',
    'values.yaml': 'auth: {password: x}',
    'templates/a.yaml': '',
    'charts/common/Chart.yaml': 'name: common',
    'charts/common/templates/_x.tpl': '',
  };
  const facts = withHelm({
    chart: { repository: 'https://charts.example', name: 'redis', version: '^18', credentials: 'shop' },
    valuesFiles: ['redis.yaml'],
  });
  const files = { 'app/redis.yaml': 'a: 1', 'app/other.yaml': '' };

  it('is in the artefact under its request, with the values files of the application', async () => {
    const charts = aChartHost({ 'redis@18.0.1': redis });

    const closure = await closureOf({ files, facts, charts });

    expect(charts.requests).toEqual([
      { repository: 'https://charts.example', name: 'redis', version: '^18', credentials: 'shop' },
    ]);
    const [mount] = /^\.holdfast-external\/charts\/[0-9a-f]{16}\/redis/.exec(filesOf(closure)[0] ?? '') ?? [];
    expect(filesOf(closure)).toEqual([
      ...Object.keys(redis)
        .map((path) => `${mount}/${path}`)
        .sort(),
      'app/redis.yaml',
    ]);
  });

  it('is walked again in the artefact, without asking anybody', async () => {
    const given = { files, facts, charts: aChartHost({ 'redis@18.0.1': redis }) };

    const again = await walkedAgain(given);

    expect(again.tool).toBe('helm');
    expect(filesOf(again)).toEqual(filesOf(await closureOf(given)));
    const values = filesOf(again).filter((path) => again.roles.get(path)?.has('values'));
    expect(values.map((path) => path.replace(/^\.holdfast.*redis/, 'redis'))).toEqual([
      'redis/values.yaml',
      'app/redis.yaml',
    ]);
  });

  it('may be all that there is', async () => {
    const given = {
      files: { 'README.md': '' },
      facts: { path: '.', ...withHelm({ chart: { repository: 'https://charts.example', name: 'redis' } }) },
      charts: aChartHost({ 'redis@18.0.1': redis }),
    };

    expect(filesOf(await walkedAgain(given))).toHaveLength(Object.keys(redis).length);
  });

  it('changes the closure with what is published, and with nothing else', async () => {
    const published = (version: string, more = {}) =>
      aChartHost({ [`redis@${version}`]: { ...redis, ...more } });
    const before = await closureOf({ files, facts, charts: published('18.0.1') });

    const same = await closureOf({
      files: { ...files, 'app/other.yaml': 'x' },
      facts,
      charts: published('18.0.1'),
    });
    const moved = await closureOf({ files, facts, charts: published('18.0.1', { 'templates/b.yaml': '' }) });
    const newer = await closureOf({ files, facts, charts: published('18.0.2') });

    expect(same.digest).toBe(before.digest);
    expect(new Set([before.digest, moved.digest, newer.digest]).size).toBe(3);
  });

  it('needs the path of the application', async () => {
    const charts = aChartHost({ 'redis@18.0.1': redis });

    expect((await refusal({ files: { 'x.yaml': '' }, facts, charts })).code).toBe('path-missing');
  });

  it('is refused where nothing may be fetched, and in an artefact that lacks it', async () => {
    expect(await refusal({ files, facts })).toEqual({
      code: 'chart-unreachable',
      message: expect.stringMatching(/^app: spec.render.helm.chart: the chart "redis" has to be fetched/),
    });

    const application = anApplication(facts);
    const walk = walkInputs({ reader: memoryCommit(files), application, isArtefact: true });
    await expect(walk).rejects.toMatchObject({ code: 'render-refused' });
  });

  it('is refused with the words of the chart host, and its code', async () => {
    const refused = await refusal({ files, facts, charts: aChartHost({}) });

    expect(refused).toEqual({
      code: 'chart-not-found',
      message: 'app: spec.render.helm.chart: chart "redis" has no version ^18',
    });
  });

  it.each(['https://x.example', 'file://../../../../app', ''])(
    'is refused when it lacks a chart that it depends on from %j',
    async (repository) => {
      const lacking = {
        'Chart.yaml': `name: redis\ndependencies: [{name: app, version: "*", repository: "${repository}"}]`,
      };

      const refused = await refusal({
        files: { ...files, ...chart },
        facts,
        charts: aChartHost({ 'redis@18.0.1': lacking }),
      });

      expect(refused.message).toMatch(/redis\/Chart.yaml: dependencies\[0\]: .*publish it again/);
    },
  );
});

describe('a dependency from elsewhere', () => {
  const redis = (version: string) => ({ 'Chart.yaml': `name: redis\nversion: ${version}` });
  const charts = () =>
    aChartHost({
      'redis@1.0.0': redis('1.0.0'),
      'redis@1.5.0': redis('1.5.0'),
      'web@2.0.0': { 'Chart.yaml': 'name: web' },
    });
  const files = depending(
    '{name: redis, version: ^1, repository: "https://charts.example"}',
    '{name: web, version: 2.0.0, repository: "oci://registry.example/charts", alias: front}',
  );
  // As "helm dependency update" writes it for these dependencies.
  const lock = (version: string, digest: string) =>
    `dependencies:\n- name: redis\n  repository: https://charts.example\n  version: ${version}\n- name: web\n  repository: oci://registry.example/charts\n  version: 2.0.0\ndigest: ${digest}\ngenerated: "2026-11-22T17:15:05Z"\n`;

  it('is fetched in the declared range and put into charts/', async () => {
    const host = charts();

    const walked = await walkedAgain({ files, charts: host });

    expect(host.requests).toEqual([
      { repository: 'https://charts.example', name: 'redis', version: '^1' },
      { repository: 'oci://registry.example/charts', name: 'web', version: '2.0.0' },
    ]);
    expect(walked.copies.map(({ to }) => to)).toEqual(['app/charts/redis', 'app/charts/web']);
  });

  it('is fetched in the version of Chart.lock', async () => {
    const host = charts();
    const digest = 'sha256:42704811bef61bb3cc28bca4b56f5740ced9415238dc85c834b88175a86dcbd1';

    await closureOf({ files: { ...files, 'app/Chart.lock': lock('1.5.0', digest) }, charts: host });

    expect(host.requests[0]).toMatchObject({ name: 'redis', version: '1.5.0' });
  });

  it('is refused when Chart.lock was written for others', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;

    const refused = await refusal({
      files: { ...files, 'app/Chart.lock': lock('1.5.0', digest) },
      charts: charts(),
    });

    expect(refused).toEqual({
      code: 'render-refused',
      message: expect.stringMatching(/^app\/Chart.lock: digest: .*run "helm dependency update"/),
    });
  });

  it('does not care about Chart.lock when all charts are vendored', async () => {
    const vendored = {
      'app/charts/redis/Chart.yaml': 'name: redis',
      'app/charts/web/Chart.yaml': 'name: web',
    };

    const closure = await closureOf({
      files: { ...files, ...vendored, 'app/Chart.lock': lock('9', 'sha256:0') },
    });

    expect(filesOf(closure)).toContain('app/Chart.lock');
  });

  it('is there once when it is declared under two aliases', async () => {
    const twice = depending(
      '{name: web, version: 2.0.0, repository: "https://x.example", alias: a}',
      '{name: web, version: 2.0.0, repository: "https://x.example", alias: b}',
    );

    const walked = await walkedAgain({ files: twice, charts: charts() });

    expect(walked.copies.map(({ to }) => to)).toEqual(['app/charts/web']);
  });

  it('goes beside one of the same name and another version', async () => {
    const both = depending(
      '{name: redis, version: 1.0.0, repository: "https://x.example", alias: a}',
      '{name: redis, version: 1.5.0, repository: "https://x.example", alias: b}',
    );

    const walked = await walkedAgain({ files: both, charts: charts() });

    expect(walked.copies.map(({ to }) => to)).toEqual(['app/charts/redis', 'app/charts/redis-2']);
  });

  it.each([
    ['@stable', 'write its URL'],
    ['alias:stable', 'write its URL'],
    ['', 'has no repository'],
    ['s3://bucket/charts', 'expected https://, oci:// or file://'],
  ])('is refused from %j', async (repository, message) => {
    const declared = depending(`{name: x, version: 1.0.0, repository: "${repository}"}`);

    const refused = await refusal({ files: declared, charts: charts() });

    expect(refused.code).toBe('render-refused');
    expect(refused.message).toMatch(/^app\/Chart.yaml: dependencies\[0\]/);
    expect(refused.message).toContain(message);
  });
});

describe('a vendored archive', () => {
  const inner = {
    'sub/Chart.yaml': 'name: sub\nversion: 1.0.0',
    'sub/values.yaml': 'a: 1',
    'sub/templates/a.yaml': '{{ now }}',
  };

  it('is in the artefact unpacked, and helm is given the directory in its place', async () => {
    const files = { ...chart, 'app/charts/sub-1.0.0.tgz': await anArchive(inner) };

    const walked = await walkedAgain({ files });

    expect(
      filesOf(walked)
        .filter((path) => path.includes('sub'))
        .map((path) => path.replace(/[0-9a-f]{16}/, '…')),
    ).toEqual([
      '.holdfast-external/vendored/…/sub-1.0.0/Chart.yaml',
      '.holdfast-external/vendored/…/sub-1.0.0/templates/a.yaml',
      '.holdfast-external/vendored/…/sub-1.0.0/values.yaml',
    ]);
    expect(walked.copies).toMatchObject([{ to: 'app/charts/sub-1.0.0' }]);
  });

  it('may lie in a chart at the root of the repository, whose files are its own only', async () => {
    const files = {
      'Chart.yaml': 'name: root',
      'charts/sub-1.0.0.tgz': await anArchive(inner),
      'templates/a.yaml': '',
    };

    const walked = await walkedAgain({ files, facts: { path: '.' } });

    expect(filesOf(walked).filter((path) => !path.startsWith(EXTERNAL_DIRECTORY))).toEqual([
      'Chart.yaml',
      'templates/a.yaml',
    ]);
    expect(filesOf(walked)).toHaveLength(5);
  });

  it.each([
    ['is none', Buffer.from('not a gzip'), 'chart-corrupt'],
    ['leads out', { '../x': '', 'sub/Chart.yaml': 'name: sub\nversion: 1.0.0' }, 'chart-refused'],
    ['has two charts', { 'a/Chart.yaml': '', 'b/Chart.yaml': '' }, 'chart-refused'],
  ])('is refused when it %s', async (_what, content, code) => {
    const archive = content instanceof Uint8Array ? content : await anArchive(content);

    const refused = await refusal({ files: { ...chart, 'app/charts/sub.tgz': archive } });

    expect(refused).toEqual({ code, message: expect.stringMatching(/^app\/charts\/sub.tgz/) });
  });
});
