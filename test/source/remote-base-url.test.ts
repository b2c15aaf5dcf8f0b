import { parseRemoteBase } from '../../lib/source/remote-base-url.ts';

/** Entry → repository, directory and ref. */
const TAKEN: Readonly<Record<string, readonly [string, string, string?]>> = {
  'https://github.com/org/repo//deploy/base?ref=v1': ['https://github.com/org/repo', 'deploy/base', 'v1'],
  'https://github.com/org/repo//deploy/base/?version=v1': [
    'https://github.com/org/repo',
    'deploy/base',
    'v1',
  ],
  'https://github.com/org/repo//x?version=v1&ref=v2': ['https://github.com/org/repo', 'x', 'v2'],
  'https://github.com/org/repo': ['https://github.com/org/repo', '.'],
  'https://github.com/org/repo/': ['https://github.com/org/repo', '.'],
  'https://github.com/org/repo//': ['https://github.com/org/repo', '.'],
  'https://github.com/org/repo/deploy/base': ['https://github.com/org/repo', 'deploy/base'],
  'https://GitHub.com/Org/Repo//Deploy': ['https://github.com/Org/Repo', 'Deploy'],
  'HTTPS://github.com/org/repo//x': ['https://github.com/org/repo', 'x'],
  'https://github.com/org/repo.git/base?ref=main': ['https://github.com/org/repo.git', 'base', 'main'],
  'https://github.com/org/repo.git//base': ['https://github.com/org/repo.git', 'base'],
  'https://github.com/org/repo.git?ref=main': ['https://github.com/org/repo.git', '.', 'main'],
  'github.com/org/repo//base?ref=v1': ['https://github.com/org/repo', 'base', 'v1'],
  'github.com/org/repo': ['https://github.com/org/repo', '.'],
  'git::https://git.example.com/a/b//c': ['https://git.example.com/a/b', 'c'],
  'git::github.com/org/repo': ['https://github.com/org/repo', '.'],
  'https://git.example.com:8443/group/sub/repo//base': [
    'https://git.example.com:8443/group/sub/repo',
    'base',
  ],
  'http://127.0.0.1:3000/repo.git//base': ['http://127.0.0.1:3000/repo.git', 'base'],
  'https://dev.azure.com/org/project/_git/repo/deploy?ref=v1': [
    'https://dev.azure.com/org/project/_git/repo',
    'deploy',
    'v1',
  ],
  'https://github.com/org/repo///etc': ['https://github.com/org/repo', 'etc'],
  'https://github.com/org/repo//a/../b': ['https://github.com/org/repo', 'b'],
  'https://github.com/org/repo//x?ref=feature%2Fone': ['https://github.com/org/repo', 'x', 'feature/one'],
  'https://github.com/org/repo//x?ref=refs/heads/main': [
    'https://github.com/org/repo',
    'x',
    'refs/heads/main',
  ],
  'https://github.com/org/repo//x?timeout=120s&submodules=false': ['https://github.com/org/repo', 'x'],
  'https://github.com/org/repo//x?ref=': ['https://github.com/org/repo', 'x'],
};

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['ssh://git@github.com/org/repo', /ssh:\/\/ is not spoken/],
  ['git::ssh://git@github.com/org/repo', /ssh:\/\/ is not spoken/],
  ['git@github.com:org/repo.git//base', /ssh is not spoken/],
  ['org-123@github.com:org/repo', /ssh is not spoken/],
  ['git://github.com/org/repo', /git:\/\/ is not spoken/],
  ['file:///srv/repo//base', /file:\/\/ is not spoken/],
  ['file:/srv/repo', /file: is not read/],
  ['ext::sh -c id', /character/],
  ['ext::sh', /ext:: are never run/],
  ['git::ext::sh', /ext:: are never run/],
  ['fd::17/x', /never run/],
  ['gh:org/repo', /write it as https/],
  ['github.com:org/repo', /write it as https/],
  ['//github.com/org/repo', /write it as https/],
  ['org/repo?ref=main', /write it as https/],
  ['https://user:hunter2@github.com/org/repo', /user name or password/],
  ['https://token@dev.azure.com/o/p/_git/r', /user name or password/],
  ['https://raw.githubusercontent.com/org/repo/main/install.yaml', /single file/],
  ['https://github.com/org/repo/releases/download/v1/install.yaml', /single file/],
  ['https://example.com/x.yaml', /names no Git repository|single file/],
  ['https://example.com/a/x.json', /single file/],
  ['https://github.com/org/repo//install.yml?ref=v1', /single file/],
  ['https://example.com/x', /names no Git repository/],
  ['https://example.com', /names no Git repository/],
  ['https:///org/repo', /is no address|names no Git/],
  ['https://github.com/org/repo//../../x', /leads out/],
  ['https://github.com/org/repo//x#frag', /character/],
  ['https://github.com/org/repo//a b', /character/],
  ['https://github.com/org/repo//a\\b', /character/],
  ['https://github.com/org/repo//x?ref=--upload-pack=id', /ref is none/],
  ['https://github.com/org/repo//x?ref=-v', /ref is none/],
  ['https://github.com/org/repo//x?ref=a..b', /ref is none/],
  ['https://github.com/org/repo//x?ref=a%0Ab', /ref is none/],
  ['https://github.com/org/repo//x?ref=v1&sshkey=abc', /parameter other than ref/],
  ['https://[::1/org/repo', /is no address/],
];

describe('a remote base', () => {
  it.each(Object.keys(TAKEN))('is read from %s', (entry) => {
    const [url, path, ref] = TAKEN[entry] ?? [];

    expect(parseRemoteBase(entry)).toEqual({
      ok: true,
      base: { url, path, ...(ref === undefined ? {} : { ref }) },
    });
  });

  it.each(REFUSED)('is refused as %s', (entry, why) => {
    const parsed = parseRemoteBase(entry);

    expect(parsed).toEqual({ ok: false, why: expect.stringMatching(why) });
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });
});
