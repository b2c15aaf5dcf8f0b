import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { ChartHost, ChartRequest } from '../../lib/charts/chart-host.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { Application, HelmOptions } from '../../lib/model/application.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure, walkInputs, type Closure } from '../../lib/source/closure.ts';
import { EXTERNAL_DIRECTORY } from '../../lib/source/closure-walk.ts';
import { fileTreeOf, fileTreeReader } from '../../lib/source/file-tree.ts';
import { memoryCommit, type MemoryFile } from '../support/memory-commit.ts';
import { anApplication } from '../render/rendering.ts';

type Files = Readonly<Record<string, MemoryFile>>;

/** A chart host that has these charts, by `name@version`, and remembers what it was asked for. */
function aChartHost(charts: Readonly<Record<string, Readonly<Record<string, string>>>>): ChartHost & {
  readonly requests: ChartRequest[];
} {
  const requests: ChartRequest[] = [];
  return {
    requests,
    fetch: async (request) => {
      requests.push(request);
      const found = Object.entries(charts).find(
        ([key]) => key === `${request.name}@${request.version ?? ''}` || key.startsWith(`${request.name}@`),
      );
      if (found === undefined) throw new HoldfastError('chart-not-found', `no ${request.name} here`);
      const [key, files] = found;
      const version = key.slice(request.name.length + 1);
      return { name: request.name, version, digest: `sha256:${key}`, files: fileTreeOf(files) };
    },
    close: async () => undefined,
  };
}

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

async function anArchive(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
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
const helm = (options: HelmOptions): Partial<Application> => ({ render: { tool: 'auto', helm: options } });

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
