import { chartIgnore } from '../../lib/source/chart-ignore.ts';
import { closureWalk } from '../../lib/source/closure-walk.ts';
import { helmTemplate, messageOf } from '../render/charts.ts';
import { whySkipped, withTools } from '../render/tools-for-tests.ts';
import { memoryCommit } from '../support/memory-commit.ts';

const PATHS = [
  ...[
    'a.txt',
    'ab.txt',
    'b.txt',
    'dir/a.txt',
    'dir/deep/a.txt',
    'dir/b.md',
    'dirt',
    'x[1].txt',
    'é.txt',
    'a-b',
  ],
  ...[
    'charts/sub/Chart.yaml',
    'charts/sub/a.txt',
    'charts/sub/dir/a.txt',
    'templates/x.tpl',
    'templates/.hidden',
  ],
];

function ignoreOf(text: string) {
  return chartIgnore(closureWalk(memoryCommit({ 'app/.helmignore': text })), 'app');
}

const RULES = [
  ...[
    'a.txt',
    '*.txt',
    '?.txt',
    '/a.txt',
    'dir',
    'dir/',
    '/dir',
    'dir/a.txt',
    'dir/*',
    '*/a.txt',
    '*/*/a.txt',
  ],
  ...[
    '*',
    'a*',
    '*a*',
    '*.*',
    '[ab].txt',
    '[^a].txt',
    '[a-c]*',
    'x[[]1].txt',
    'x\\[1\\].txt',
    'é*',
    '[é].txt',
    'a[-b',
  ],
  ...[
    '[]a]',
    '[-a]',
    '[a',
    'a\\',
    '**/x',
    '!*.txt',
    '!dir/',
    '!a.txt\n!b.txt',
    '# a.txt',
    '  a.txt  ',
    '',
    '/',
    '//a.txt',
  ],
  ...[
    'a.txt\r\nb.txt\r',
    '\ufeffa.txt',
    'charts/sub',
    'charts/*/a.txt',
    'sub',
    'sub/',
    'dir/deep',
    'd*t',
    'a?b',
    '*a*b*',
  ],
  ...[
    'templates/',
    '*.tpl',
    'dir\n!dir/b.md',
    '[a-]',
    '[^]',
    'dir/deep/',
    '*/deep',
    './a.txt',
    'dir//a.txt',
    '[!a].txt',
  ],
];

withTools(`.helmignore as helm reads it${whySkipped}`, () => {
  it.each(RULES)('%j', async (text) => {
    const files: Record<string, string> = {
      'app/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n',
      'app/.helmignore': text,
      // What is in the chart, and what of it is a chart: a file under charts/ is only seen by its own chart.
      'app/templates/list.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: parent}\ndata: {files: [{{ range $p, $_ := .Files.Glob "**" }}{{ $p | quote }}, {{ end }}]}\n',
      'app/charts/sub/templates/list.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {files: [{{ range $p, $_ := .Files.Glob "**" }}{{ $p | quote }}, {{ end }}]}\n',
    };
    for (const path of PATHS) files[`app/${path}`] ??= '';
    files['app/charts/sub/Chart.yaml'] = 'apiVersion: v2\nname: sub\nversion: 1.0.0\n';
    const asHelm = await helmTemplate(files, ['web', 'app']).catch(() => undefined);

    const ours = await ignoreOf(text).catch(() => undefined);

    // A rule that leaves out the Chart.yaml or the template that lists is one that says nothing here.
    const kept = Object.keys(files)
      .map((path) => path.slice('app/'.length))
      .filter((path) => ours?.(path) !== true);
    if (asHelm === undefined) {
      expect(ours === undefined || !kept.includes('Chart.yaml')).toBe(true);
      return;
    }
    const listed = new Map(
      asHelm.map(({ object }) => [object.metadata.name, (object['data'] as { files: unknown }).files]),
    );
    const plain = (path: string) => !/^(?:templates|charts)\/|^(?:Chart|values)\.yaml$/.test(path);
    if (kept.includes('templates/list.yaml')) {
      expect(listed.get('parent')).toEqual(kept.filter(plain).toSorted());
    }
    const ofSub = kept.flatMap((path) =>
      path.startsWith('charts/sub/') ? [path.slice('charts/sub/'.length)] : [],
    );
    if (ofSub.includes('Chart.yaml') && ofSub.includes('templates/list.yaml')) {
      expect(listed.get('sub')).toEqual(ofSub.filter(plain).toSorted());
    }
  });
});

describe('.helmignore', () => {
  it('is refused by file and line', async () => {
    expect(await messageOf(ignoreOf('a.txt\n**/x'))).toMatch(/^render-refused: app\/.helmignore: line 2: /);
  });

  it('comes to an end on hostile patterns', async () => {
    const ignore = await ignoreOf(`${'*a'.repeat(5_000)}b\n${'[a-z]*'.repeat(5_000)}b\n`);

    expect(ignore('a'.repeat(20_000))).toBe(false);
  });
});
