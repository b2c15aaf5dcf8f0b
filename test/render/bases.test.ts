import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import type { Application } from '../../lib/model/application.ts';
import type { CommitSha } from '../../lib/model/ids.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure } from '../../lib/source/closure.ts';
import type { Closure } from '../../lib/source/closure.ts';
import { createGitHost } from '../../lib/source/git-host.ts';
import { createRemoteBases, parseAllowedBases } from '../../lib/source/remote-bases.ts';
import { gitSecrets, gitWorld, type FileContent, type GitWorld } from '../support/git-world.ts';
import { memoryCommit } from '../support/memory-commit.ts';
import { anApplication, aTree, configMap, inTemporaryDirectory, namesOf } from './rendering.ts';
import { tools, whySkipped, withTools } from './tools-for-tests.ts';

type Files = Readonly<Record<string, string>>;

let world: GitWorld;
let origin: string;
let git: ReturnType<typeof createGitHost>;
const closing: (() => Promise<unknown> | unknown)[] = [];

beforeAll(async () => {
  world = await gitWorld();
  origin = new URL(world.source.url).origin;
});

afterAll(() => world.close());

beforeEach(() => {
  git = createGitHost({
    secrets: gitSecrets({}),
    cacheDirectory: join(world.directory, `cache-${Math.random()}`),
    lookup: (_hostname, _options, callback) => callback(null, [{ address: '10.0.0.1', family: 4 }]),
    limits: { timeoutMs: 10_000 },
  });
  closing.push(() => git.close());
});

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** What the repository of bases holds from now on, at main and under a tag of its own. */
async function publish(files: Readonly<Record<string, FileContent>>, tag: string): Promise<CommitSha> {
  const commit = await world.commit(files);
  await world.git('tag', '--force', tag);
  await world.push('--force', 'main', tag);
  return commit;
}

const entry = (path: string, ref = '') => `${world.source.url}//${path}${ref === '' ? '' : `?ref=${ref}`}`;
const kustomizationOf = (...resources: readonly string[]) => JSON.stringify({ resources });

/** One run of a source stage that allows the loopback server. */
async function closureOf(
  files: Files,
  { allowed = [origin], facts = {} }: { allowed?: readonly string[]; facts?: Partial<Application> } = {},
): Promise<Closure> {
  const bases = createRemoteBases({ git, allowed });
  closing.push(() => bases.close());
  return await inputClosure({
    reader: memoryCommit(files),
    application: anApplication(facts),
    salt: [],
    elsewhere: { openBase: bases.open },
  });
}

async function render(files: Files, facts: Partial<Application> = {}) {
  const artefact = await packArtefact(await closureOf(files, { facts }));
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    const renderer = createRenderer({ tools, temporaryDirectory });
    const tree = unpackArtefact(artefact.digest, artefact.bytes);
    return (await renderer.render({ files: tree, application: anApplication(facts) })).manifests;
  });
}

withTools(`a base in another repository${whySkipped}`, () => {
  it('is rendered as if it lay in ours, with its own bases and components', async () => {
    await publish(
      {
        'deploy/base/kustomization.yaml': 'resources: [a.yaml, ../common]\nnamePrefix: base-\n',
        'deploy/base/a.yaml': configMap('a'),
        'deploy/common/kustomization.yaml': 'resources: [c.yaml]\n',
        'deploy/common/c.yaml': configMap('c'),
        'part/kustomization.yaml':
          'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {part: "yes"}\n',
      },
      'v1',
    );
    const files = {
      'app/kustomization.yaml': JSON.stringify({
        resources: ['own.yaml', entry('deploy/base', 'v1')],
        components: [entry('part', 'refs/heads/main')],
        namePrefix: 'eu-',
      }),
      'app/own.yaml': configMap('own'),
    };

    const manifests = await render(files, { render: { tool: 'auto', kustomize: { namespace: 'shop' } } });

    expect([...namesOf(manifests)].sort()).toEqual([
      'ConfigMap eu-base-a',
      'ConfigMap eu-base-c',
      'ConfigMap eu-own',
    ]);
    for (const { object } of manifests) {
      expect(object.metadata).toMatchObject({ namespace: 'shop', annotations: { part: 'yes' } });
    }
  });

  it('may stand at the root of its repository, and be that of a repository at its root', async () => {
    await publish({ 'kustomization.yaml': 'resources: [deploy/base]\nnameSuffix: -root\n' }, 'root');

    const manifests = await render(
      { 'kustomization.yaml': kustomizationOf(world.source.url) },
      { path: '.' },
    );

    expect(namesOf(manifests)).toContain('ConfigMap base-a-root');
  });

  it('may have a base in a third one', async () => {
    const other = await world.server.createRepository('other');
    const file = {
      'leaf/kustomization.yaml': 'resources: [leaf.yaml]\n',
      'leaf/leaf.yaml': configMap('leaf'),
    };
    await publish(file, 'leaf');
    await world.git('push', '--quiet', '--force', other.directory, 'main');
    await publish(
      { 'middle/kustomization.yaml': kustomizationOf(`${other.url}//leaf?ref=main`, `../deploy/common`) },
      'middle',
    );

    const manifests = await render({ 'app/kustomization.yaml': kustomizationOf(entry('middle', 'middle')) });

    expect([...namesOf(manifests)].sort()).toEqual(['ConfigMap c', 'ConfigMap leaf']);
  });

  it('is pinned: a tag that moves is another closure, and one that stays is the same', async () => {
    await publish(
      { 'moved/kustomization.yaml': 'resources: [m.yaml]\n', 'moved/m.yaml': configMap('one') },
      'moving',
    );
    const files = { 'app/kustomization.yaml': kustomizationOf(entry('moved', 'moving')) };
    const before = await closureOf(files);
    const same = await closureOf(files);

    await publish({ 'moved/m.yaml': configMap('two') }, 'moving');
    const after = await closureOf(files);

    expect(same.digest).toBe(before.digest);
    expect(after.digest).not.toBe(before.digest);
    expect(namesOf(await render(files))).toEqual(['ConfigMap two']);
  });

  it('is taken at a full commit, whatever became of the branch', async () => {
    const commit = await publish(
      { 'pinned/kustomization.yaml': 'resources: [p.yaml]\n', 'pinned/p.yaml': configMap('pinned') },
      'pinned',
    );
    await publish({ 'pinned/p.yaml': configMap('later') }, 'later');

    const manifests = await render({ 'app/kustomization.yaml': kustomizationOf(entry('pinned', commit)) });

    expect(namesOf(manifests)).toEqual(['ConfigMap pinned']);
  });

  it('is asked for once by all who need it, at one and the same commit', async () => {
    await publish({ 'once/kustomization.yaml': 'namePrefix: a-\n' }, 'once');
    const bases = createRemoteBases({ git, allowed: [origin] });
    closing.push(() => bases.close());
    const first = await bases.open(world.source.url, 'once');

    await publish({ 'once/kustomization.yaml': 'namePrefix: b-\n' }, 'once');
    const second = await bases.open(world.source.url, 'once');

    expect(second).toBe(first);
  });
});

describe('a base in another repository', () => {
  const refusal = (files: Files, allowed?: readonly string[]) =>
    closureOf(files, allowed === undefined ? {} : { allowed }).then(
      () => ({ code: 'none', message: 'was taken', retryable: false }),
      (error: { code: string; message: string; retryable: boolean }) => error,
    );

  beforeAll(() =>
    publish(
      {
        'base/kustomization.yaml': 'resources: [a.yaml]\n',
        'base/a.yaml': configMap('a'),
        'outside/kustomization.yaml': 'resources: [../../../../app/secrets]\n',
        'abroad/kustomization.yaml': 'resources: [../../x]\n',
        'file/kustomization.yaml': 'configMapGenerator: [{name: x, files: [../../../../app/own.yaml]}]\n',
        'disguised/kustomization.yaml': 'resources: [../../0000000000000000/base]\n',
        'away/kustomization.yaml': 'resources: ["https://git.example.com/a/b//c"]\n',
        'circle/kustomization.yaml': kustomizationOf(entry('circle', 'all')),
        'link/kustomization.yaml': 'resources: [l.yaml]\n',
        'link/l.yaml': { link: '/etc/passwd' },
        'charts/kustomization.yaml': 'helmCharts: [{name: x}]\n',
        'plain/a.yaml': configMap('a'),
      },
      'all',
    ),
  );

  it.each([
    [
      'a host that is not allowed',
      'https://git.example.com/a/b//c',
      'render-refused',
      /not fetched from https:\/\/git.example.com/,
    ],
    [
      'http where only the host is allowed',
      'http://github.com/a/b//c',
      'render-refused',
      /not fetched from http:/,
    ],
    [
      'another port of an allowed host',
      'https://github.com:8443/a/b//c',
      'render-refused',
      /not fetched from/,
    ],
    [
      'a host that ends like an allowed one',
      'https://evil-github.com/a/b',
      'render-refused',
      /not fetched from/,
    ],
    [
      'a host with an allowed one in front',
      'https://github.com.evil.example/a/b',
      'render-refused',
      /not fetched from/,
    ],
    [
      'a public host that resolves to a private address',
      'https://github.com/a/b//c',
      'git-refused',
      /private address: allow the whole origin/,
    ],
    [
      'a private address that is not allowed',
      'http://169.254.169.254/latest/meta-data',
      'render-refused',
      /not fetched from/,
    ],
    ['ssh', 'git@github.com:a/b', 'render-refused', /ssh is not spoken/],
    ['a single file', 'https://github.com/a/b/raw/main/x.yaml', 'render-refused', /commit a copy/],
    ['a credential', 'https://u:hunter2@github.com/a/b', 'render-refused', /^(?!.*hunter2).*user name/],
  ])('refuses %s', async (_what, address, code, message) => {
    const refused = await refusal({ 'app/kustomization.yaml': kustomizationOf(address) }, [
      'github.com',
      origin,
    ]);

    expect(refused).toMatchObject({ code, retryable: false });
    expect(refused.message).toMatch(message);
    expect(refused.message).toMatch(/^app\/kustomization.yaml: resources\[0\]: ".*" is remote/);
  });

  it.each([
    ['what leads out of it into ours', 'outside', 'render-refused', /leads out of the repository/],
    ['what leads out of it', 'abroad', 'render-refused', /leads out of the repository/],
    ['a file of ours', 'file', 'render-refused', /leads out of the repository/],
    ['another base by its place', 'disguised', 'render-refused', /leads out of the repository/],
    [
      'a base at a host that is not allowed',
      'away',
      'render-refused',
      /not fetched from https:\/\/git.example.com/,
    ],
    ['itself', 'circle', 'render-refused', /in a circle/],
    ['a symbolic link', 'link', 'render-refused', /symbolic links are not followed/],
    ['charts', 'charts', 'render-refused', /its own Application/],
  ])('refuses one with %s', async (_what, path, code, message) => {
    const refused = await refusal({
      'app/kustomization.yaml': kustomizationOf(entry(path, 'all')),
      'app/own.yaml': configMap('own'),
      'app/secrets/kustomization.yaml': 'namePrefix: a-',
    });

    expect(refused).toMatchObject({ code });
    expect(refused.message).toMatch(message);
    expect(refused.message).toMatch(/^\.holdfast-external\/bases\/[0-9a-f]{16}\//);
  });

  it.each([
    ['a directory that is not there', 'nowhere', 'all', 'render-refused', /nowhere does not exist there/],
    ['a file', 'base/a', 'all', 'render-refused', /does not exist there/],
    ['a directory without kustomization', 'plain', 'all', 'render-refused', /holds no kustomization/],
    ['a ref that is not there', 'base', 'v99', 'git-ref-missing', /no branch or tag "v99"/],
    ['a commit that is cut short', 'base', 'abcdef0', 'git-ref-missing', /given in full/],
    ['a commit that is not there', 'base', '1'.repeat(40), 'git-commit-missing', /1111/],
  ])('refuses %s', async (_what, path, ref, code, message) => {
    const refused = await refusal({ 'app/kustomization.yaml': kustomizationOf(entry(path, ref)) });

    expect(refused).toMatchObject({ code, retryable: false });
    expect(refused.message).toMatch(message);
  });

  it('refuses bases where nothing is fetched at all', async () => {
    const closure = inputClosure({
      reader: memoryCommit({ 'app/kustomization.yaml': kustomizationOf(entry('base')) }),
      application: anApplication(),
      salt: [],
    });

    await expect(closure).rejects.toMatchObject({ code: 'render-refused' });
    await expect(closure).rejects.toThrow(/is remote: bases of other repositories are not fetched here/);
  });

  it('refuses the way from our files into a base that another entry fetched', async () => {
    const bases = createRemoteBases({ git, allowed: [origin] });
    closing.push(() => bases.close());
    const { entries } = await closureOf({ 'app/kustomization.yaml': kustomizationOf(entry('base', 'all')) });
    const place = entries.find(({ path }) => path.endsWith('/base/a.yaml'))?.path ?? '';

    const refused = await refusal({
      'app/kustomization.yaml': kustomizationOf(entry('base', 'all'), `../${place}`),
    });

    expect(refused.message).toMatch(/resources\[1\].*leads out of the repository/);
  });

  it('refuses a repository that has something in the place of bases', async () => {
    const refused = await refusal({
      'app/kustomization.yaml': kustomizationOf('../.holdfast-external/x'),
      '.holdfast-external/x/kustomization.yaml': '',
    });

    expect(refused).toMatchObject({ code: 'render-refused' });
  });

  it.each([
    ['a private address', 'http://10.0.0.1/x'],
    ['the metadata service', 'http://169.254.169.254/x'],
    ['another host over https', 'https://git.example.com/x'],
  ])('refuses a redirect to %s, which then gets no request', async (_what, location) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(302, { location: `${location}${request.url}` }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    const refused = await refusal({ 'app/kustomization.yaml': kustomizationOf(`${address}/a/b//c?ref=v1`) }, [
      address,
    ]);

    expect(refused).toMatchObject({ code: 'git-refused', retryable: false });
    expect(refused.message).toMatch(/redirects to another host/);
    expect(asked).toHaveLength(1);
  });

  it('rejects a server that cannot be reached, to be tried again', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await new Promise((resolve) => server.close(resolve));

    const refused = await refusal({ 'app/kustomization.yaml': kustomizationOf(`${address}/a/b//c?ref=v1`) }, [
      address,
    ]);

    expect(refused).toMatchObject({ code: 'git-unreachable', retryable: true });
  });

  it('rejects an artefact that it was not put into', async () => {
    const failing = inTemporaryDirectory((temporaryDirectory) =>
      createRenderer({ tools, temporaryDirectory }).render({
        files: aTree({ 'app/kustomization.yaml': kustomizationOf(entry('base', 'all')) }),
        application: anApplication(),
      }),
    );

    await expect(failing).rejects.toMatchObject({ code: 'render-failed' });
    await expect(failing).rejects.toThrow(/was not put into the artefact/);
  });

  it('refuses more of them than anybody needs', async () => {
    const many = Array.from({ length: 40 }, (_, index) => `${origin}/r${index}.git//x?ref=v1`);
    const openBase = async () => Object.assign(memoryCommit({ 'x/kustomization.yaml': '' }));

    const closure = inputClosure({
      reader: memoryCommit({ 'app/kustomization.yaml': kustomizationOf(...many) }),
      application: anApplication(),
      salt: [],
      elsewhere: { openBase },
    });

    await expect(closure).rejects.toThrow(/more than 32 remote bases/);
  });
});

describe('the list of what bases may be fetched from', () => {
  it('takes hosts and origins', () => {
    expect(
      parseAllowedBases(['github.com', 'GitLab.com', 'http://127.0.0.1:3000', 'https://git.internal/']),
    ).toEqual([
      { kind: 'host', host: 'github.com' },
      { kind: 'host', host: 'gitlab.com' },
      { kind: 'origin', origin: 'http://127.0.0.1:3000' },
      { kind: 'origin', origin: 'https://git.internal' },
    ]);
  });

  it.each([
    '',
    '*',
    'github.com/org',
    'github.com:8443',
    'ssh://github.com',
    'https://github.com/org',
    'https://u:p@x',
    '*.github.com',
    'a b',
  ])('rejects %j', (text) => {
    expect(() => parseAllowedBases([text])).toThrow(/neither a host such as github.com nor an origin/);
  });
});
