import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gitCommand } from '../../../lib/local/git-server/git-command.ts';
import { startGitServer, type GitServer, type RefUpdate } from '../../../lib/local/git-server/git-server.ts';

let directory: string;
let server: GitServer;
let accounts: Record<string, string> | undefined;
let pushes: { repository: string; updates: readonly RefUpdate[] }[];

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-git-server-'));
  pushes = [];
  accounts = undefined;
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

async function start(): Promise<void> {
  server = await startGitServer({
    directory: path.join(directory, 'repositories'),
    ...(accounts === undefined ? {} : { accounts }),
    onPush: (repository, updates) => void pushes.push({ repository, updates }),
  });
}

/** A work tree whose `origin` is a new repository of the server. */
async function workTree(): Promise<{ work: string; url: string }> {
  const { url } = await server.createRepository('sample');
  const work = path.join(directory, 'work');
  await mkdir(work);
  await gitCommand(work, ['init', '--quiet', '--initial-branch=main']);
  await gitCommand(work, ['remote', 'add', 'origin', url]);
  return { work, url };
}

async function commit(work: string, file: string, content: string): Promise<string> {
  await writeFile(path.join(work, file), content);
  await gitCommand(work, ['add', '--', file]);
  await gitCommand(work, ['commit', '--quiet', '-m', `Change ${file}`]);
  return gitCommand(work, ['rev-parse', 'HEAD']);
}

describe('startGitServer', () => {
  it('takes a push, tells which refs really changed, and gives the same back to a clone', async () => {
    await start();
    const { work, url } = await workTree();
    const sha = await commit(work, 'a.yaml', 'a: 1\n');

    await gitCommand(work, ['push', '--quiet', 'origin', 'main']);
    await gitCommand(work, ['push', '--quiet', 'origin', 'main']);
    await gitCommand(directory, ['clone', '--quiet', url, 'clone']);

    expect(pushes).toEqual([
      { repository: 'sample', updates: [{ ref: 'refs/heads/main', before: '0'.repeat(40), after: sha }] },
    ]);
    expect(await gitCommand(path.join(directory, 'clone'), ['rev-parse', 'HEAD'])).toBe(sha);
  });

  it('takes a push large enough for git to compress and chunk the request', async () => {
    await start();
    const { work } = await workTree();
    for (let index = 0; index < 40; index += 1) {
      await gitCommand(work, ['tag', `t${index}`, await commit(work, 'a.yaml', `a: ${index}\n`)]);
    }
    const noise = Array.from({ length: 200_000 }, (_, index) => (index * 2654435761) % 4294967291).join('\n');
    const sha = await commit(work, 'large.txt', noise);

    await gitCommand(work, ['-c', 'http.postBuffer=65536', 'push', '--quiet', '--tags', 'origin', 'main']);

    expect(pushes[0]?.updates).toHaveLength(41);
    expect(pushes[0]?.updates.find((update) => update.ref === 'refs/heads/main')?.after).toBe(sha);
  });

  it('tells of a deleted branch', async () => {
    await start();
    const { work } = await workTree();
    const sha = await commit(work, 'a.yaml', 'a: 1\n');
    await gitCommand(work, ['push', '--quiet', 'origin', 'main', 'main:side']);

    await gitCommand(work, ['push', '--quiet', 'origin', ':side']);

    expect(pushes[1]?.updates).toEqual([{ ref: 'refs/heads/side', before: sha, after: '0'.repeat(40) }]);
  });

  it('refuses a wrong password and takes the right one', async () => {
    accounts = { ci: 'right' };
    await start();
    const { work, url } = await workTree();
    await commit(work, 'a.yaml', 'a: 1\n');

    const wrong = gitCommand(work, ['push', url.replace('http://', 'http://ci:wrong@'), 'main']);
    await expect(wrong).rejects.toThrow(/git push failed/);
    await expect(wrong).rejects.not.toThrow(/wrong@/);
    await gitCommand(work, ['push', '--quiet', url.replace('http://', 'http://ci:right@'), 'main']);

    expect(pushes).toHaveLength(1);
  });

  it.each([
    '/other.git/info/refs?service=git-upload-pack',
    '/..%2fwork.git/info/refs?service=git-upload-pack',
  ])('refuses what is no repository of it: %s', async (target) => {
    await start();

    const response = await fetch(`${server.url}${target}`);

    expect(response.status).toBe(404);
  });

  it.each(['../up', 'a/b', '.hidden', '-flag', 'a.git', ''])(
    'refuses the repository name "%s"',
    async (name) => {
      await start();

      await expect(server.createRepository(name)).rejects.toThrow(/repository name/);
    },
  );

  it('finds a repository again after a restart', async () => {
    await start();
    const { work } = await workTree();
    const sha = await commit(work, 'a.yaml', 'a: 1\n');
    await gitCommand(work, ['push', '--quiet', 'origin', 'main']);

    await server.close();
    await start();
    const { url } = await server.createRepository('sample');

    expect(await gitCommand(work, ['ls-remote', url, 'refs/heads/main'])).toContain(sha);
  });
});
