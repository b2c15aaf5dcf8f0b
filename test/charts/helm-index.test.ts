import { readIndex } from '../../lib/charts/helm-index.ts';

const HEX = 'ab12'.repeat(16);

const read = (text: string, name = 'podinfo') => readIndex(Buffer.from(text), name, 'https://charts.test');
const versionsOf = (text: string, name?: string) => read(text, name)?.map(({ version }) => version);

const INDEX = `apiVersion: v1
entries:
  # a comment
  nginx:
  - name: nginx
    version: 9.9.9
    urls:
    - nginx-9.9.9.tgz
  podinfo:
  - annotations:
      images: |
        - name: a
          podinfo: 7
      long: a text that is folded
        over two lines
    apiVersion: v2
    description: "with a quoted text
      that goes on"
    digest: ${HEX}
    name: podinfo
    urls:
    - https://elsewhere.test/podinfo-1.2.0.tgz
    - https://mirror.test/podinfo-1.2.0.tgz
    version: 1.2.0

  - name: podinfo
    version: "1.1.0"
    urls: [podinfo-1.1.0.tgz]
  podinfo-extra:
  - name: podinfo-extra
    version: 7.0.0
generated: "2026-01-01T00:00:00Z"
`;

describe('an index', () => {
  it('lists the versions of a chart with their addresses and digests', () => {
    expect(read(INDEX)).toEqual([
      {
        version: '1.2.0',
        urls: ['https://elsewhere.test/podinfo-1.2.0.tgz', 'https://mirror.test/podinfo-1.2.0.tgz'],
        digest: `sha256:${HEX}`,
      },
      { version: '1.1.0', urls: ['podinfo-1.1.0.tgz'] },
    ]);
  });

  it.each([
    ['windows line ends', INDEX.replaceAll('\n', '\r\n')],
    ['a byte order mark and a document start', `\ufeff---\n${INDEX}`],
    ['quoted keys', INDEX.replace('  podinfo:', '  "podinfo":').replace('entries:', "'entries':")],
    [
      'other keys around it',
      INDEX.replace('apiVersion: v1\n', 'serverInfo: {}\napiVersion: v1\nz:\n  podinfo: 1\n'),
    ],
    ['no line end at the end', INDEX.trimEnd()],
  ])('is read with %s', (_, text) => {
    expect(versionsOf(text)).toEqual(['1.2.0', '1.1.0']);
  });

  it.each([
    ['versions indented below their chart', INDEX.replaceAll(/^ {2}(- |  )/gm, '      $1')],
    ['aliases', 'apiVersion: v1\nentries:\n  podinfo:\n  - &a {name: podinfo, version: 1.0.0}\n  - *a\n'],
    ['flow collections', 'apiVersion: v1\nentries: {podinfo: [{name: podinfo, version: 1.0.0}]}\n'],
    [
      'an anchor at the chart',
      'apiVersion: v1\nentries:\n  podinfo: &a\n  - {name: podinfo, version: 1.0.0}\n',
    ],
    [
      'JSON',
      JSON.stringify({ apiVersion: 'v1', entries: { podinfo: [{ name: 'podinfo', version: '1.0.0' }] } }),
    ],
    ['a flow mapping', "{apiVersion: 'v1', entries: {podinfo: [{name: podinfo, version: 1.0.0}]}}"],
    ['entries in front', 'entries:\n  podinfo:\n  - {name: podinfo, version: 1.0.0}\napiVersion: v1\n'],
  ])('is read with %s', (_, text) => {
    expect(versionsOf(text)?.at(0)).toMatch(/^1\.[02]\.0$/);
  });

  it('passes over entries without a name or a version, as helm does', () => {
    const text = `apiVersion: v1
entries:
  podinfo:
  -
  - null
  - name: podinfo
  - version: 1.0.0
  - {name: podinfo, version: latest}
  - {name: podinfo, version: [1]}
  - {name: podinfo, version: 1.0.1}
`;

    expect(versionsOf(text)).toEqual(['1.0.1']);
  });

  it.each([
    ['another chart only', 'apiVersion: v1\nentries:\n  nginx:\n  - {name: nginx, version: 1.0.0}\n'],
    ['no charts', 'apiVersion: v1\nentries: {}\n'],
    ['no entries', 'apiVersion: v1\n'],
    ['empty entries', 'apiVersion: v1\nentries:\ngenerated: x\n'],
    ['the name elsewhere', 'apiVersion: v1\nentries:\n  nginx:\n  - podinfo:\n    - 1\npodinfo:\n- a\n'],
  ])('does not list what it does not list: %s', (_, text) => {
    expect(read(text)).toBeUndefined();
  });

  it.each(['__proto__', 'constructor', 'toString'])('lists no chart called %s unless it does', (name) => {
    expect(read(INDEX, name)).toBeUndefined();
    expect(read('{"apiVersion": "v1", "entries": {}}', name)).toBeUndefined();
  });

  it('lists no versions where there are none', () => {
    expect(read('apiVersion: v1\nentries:\n  podinfo: []\n')).toEqual([]);
    expect(read('apiVersion: v1\nentries:\n  podinfo:\n  nginx: []\n')).toEqual([]);
  });

  it.each([
    ['nothing', ''],
    ['a page', '<!DOCTYPE html>\n<html>\n<body>Please sign in</body></html>\n'],
    ['no apiVersion', 'entries:\n  podinfo:\n  - {name: podinfo, version: 1.0.0}\n'],
    ['JSON without apiVersion', '{"entries": {}}'],
    ['broken JSON', '{"apiVersion": "v1", '],
    ['an unknown alias', 'apiVersion: v1\nentries:\n  podinfo:\n  - *nowhere\n'],
    ['a chart twice', INDEX.replace('podinfo-extra:', 'podinfo:')],
    ['entries twice', `${INDEX}entries:\n  podinfo: []\n`],
    ['two documents', '{apiVersion: v1, entries: {}}\n---\n{apiVersion: v1, entries: {}}\n'],
  ])('rejects %s as no index', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'chart-corrupt', retryable: false }));
  });

  it('rejects an alias bomb', () => {
    const levels = Array.from({ length: 30 }, (_, at) => `a${at}: &a${at} [*a${at - 1}, *a${at - 1}]`);
    levels[0] = 'a0: &a0 [1, 2, 3]';
    const text = `apiVersion: v1\nentries: {}\n${levels.join('\n')}\n`;

    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'chart-corrupt' }));
  });

  it('rejects nesting without an end', () => {
    const text = `{"apiVersion": ${'['.repeat(100_000)}`;

    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'chart-corrupt' }));
  });
});

describe('a giant index', () => {
  /** As large as the largest public one was. */
  const GIANT_BYTES = 44 * 1024 * 1024;
  const item = (name: string, version: string) =>
    `  - apiVersion: v2\n    description: ${'x'.repeat(1_500)}\n    name: ${name}\n    version: ${version}\n`;

  it('is read without being parsed as a whole', () => {
    const parts = ['apiVersion: v1\nentries:\n'];
    for (let size = 0, at = 0; size < GIANT_BYTES; at += 1) {
      const chart = `  chart${at}:\n${Array.from({ length: 100 }, (_, v) => item(`chart${at}`, `1.0.${v}`)).join('')}`;
      parts.push(chart);
      size += chart.length;
    }
    const index = Buffer.from(parts.join(''));
    const before = process.memoryUsage.rss();

    const entries = readIndex(index, 'chart100', 'https://charts.test');

    expect(entries).toHaveLength(100);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
  });

  it.each([
    [
      'one line',
      `apiVersion: v1\nentries: {podinfo: [${'{name: podinfo, version: 1.0.0},'.repeat(200_000)}]}\n`,
    ],
    ['JSON', `{"apiVersion":"v1","entries":{"podinfo":[${'{},'.repeat(3_000_000)}{}]}}`],
    ['one item', `apiVersion: v1\nentries:\n  podinfo:\n  - a: ${'[],'.repeat(2_000_000)}\n`],
    ['one chart', `apiVersion: v1\nentries:\n  podinfo:\n${item('podinfo', '1.0.0').repeat(12_000)}`],
    [
      'too many versions',
      `apiVersion: v1\nentries:\n  podinfo:\n${`  - a: ${'x'.repeat(220)}\n`.repeat(20_001)}`,
    ],
  ])('is refused where it can only be read as a whole: %s', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'chart-too-large' }));
  });
});
