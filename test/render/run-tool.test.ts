import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';

import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { materialise, withPrivateDirectory } from '../../lib/render/private-directory.ts';
import { hasEnded, processMark } from '../../lib/render/process-mark.ts';
import { machineSandbox, NO_SANDBOX, probeSandbox, type Sandbox } from '../../lib/render/sandbox.ts';
import { runTool, ToolFailure } from '../../lib/render/run-tool.ts';
import { safeWords } from '../../lib/render/tool-words.ts';
import { inTemporaryDirectory } from './rendering.ts';

/** A program of ours in the place of a tool. */
function runScript(
  script: string,
  limits: Partial<typeof DEFAULT_RENDER_LIMITS> = {},
  args: readonly string[] = [],
  sandbox?: Sandbox,
) {
  return inTemporaryDirectory((directory) =>
    runTool({
      name: 'tool',
      binary: process.execPath,
      argv: ['-e', script, ...args],
      directory,
      workingDirectory: directory,
      limits: { ...DEFAULT_RENDER_LIMITS, ...limits },
      ...(sandbox === undefined ? {} : { sandbox }),
    }),
  );
}

const EAT_MEMORY = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(20_000_000, 1)), 1);';

async function withListener<T>(use: (port: number) => Promise<T>): Promise<T> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

const { isolation } = await machineSandbox();

describe('running a tool', () => {
  const onLinux = process.platform === 'linux' ? it : it.skip;

  it('returns what it writes', async () => {
    const output = await runScript('process.stdout.write("hello")');

    expect(Buffer.from(output).toString()).toBe('hello');
  });

  it('gives it nothing of our environment', async () => {
    process.env.HOLDFAST_CANARY = 'canary-value';
    try {
      const output = await runScript('process.stdout.write(JSON.stringify(process.env))');
      const environment = JSON.parse(Buffer.from(output).toString()) as Record<string, string>;

      expect(JSON.stringify(environment)).not.toContain('canary-value');
      expect(Object.keys(environment).filter((name) => /AWS|TOKEN|SECRET|LAMBDA|NODE/.test(name))).toEqual(
        [],
      );
      expect(readsAs(environment.PATH)).toBe('nothing');
      expect(environment.HTTPS_PROXY).toBe('http://127.0.0.1:9');
    } finally {
      delete process.env.HOLDFAST_CANARY;
    }
  });

  it('reports a failing tool with its exit code and words', async () => {
    const failing = runScript('console.error("no such thing"); process.exit(3)');

    await expect(failing).rejects.toBeInstanceOf(ToolFailure);
    await expect(failing).rejects.toMatchObject({ exit: 'exit code 3', stderr: 'no such thing\n' });
  });

  it('stops a tool that never ends, and what it started, even where that left its group', async () => {
    const mark = `holdfast-canary-${process.pid}-${Date.now()}`;
    const idle = `setInterval(() => {}, 1000) // ${mark}`;
    const script = `
      const { spawn } = require('node:child_process');
      for (const detached of sandboxed ? [false, true] : [false])
        spawn(process.execPath, ['-e', ${JSON.stringify(idle)}], { stdio: 'ignore', detached });
      ${idle}`;

    const running = runScript(`const sandboxed = ${isolation !== 'none'};${script}`, {
      toolTimeoutMs: 4_000,
    });
    // Told below; until then it is nobody's.
    running.catch(() => undefined);
    const started = isolation === 'none' ? 2 : 3;
    while (process.platform === 'linux' && processesWith(mark).length < started) await turn();

    await expect(running).rejects.toMatchObject({ code: 'render-limit', details: { limit: 'timeout' } });
    // A killed orphan stays visible until init reaps it, so its death is waited for.
    while (processesWith(mark).length > 0) await turn();
  });

  (isolation === 'isolated' ? it : it.skip)(
    'lets it see no other process, nothing of our environment in /proc, and no network',
    async () => {
      process.env.HOLDFAST_CANARY = 'canary-value';
      const script = `
      const fs = require('node:fs');
      const pids = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
      const environments = pids.map((pid) => { try { return fs.readFileSync('/proc/' + pid + '/environ', 'utf8'); } catch { return ''; } });
      const links = Object.values(require('node:os').networkInterfaces()).flat().length;
      require('node:net').connect(process.argv[1], '127.0.0.1').on('error', (error) => {
        process.stdout.write(JSON.stringify({ pids: pids.length, environments, links, code: error.code }));
      });`;
      try {
        const output = await withListener((port) => runScript(script, {}, [String(port)]));
        const seen = JSON.parse(Buffer.from(output).toString()) as Record<string, unknown>;

        expect(seen).toMatchObject({ pids: 1, links: 0, code: expect.stringMatching(/^E/) });
        expect(JSON.stringify(seen)).not.toContain('canary-value');
      } finally {
        delete process.env.HOLDFAST_CANARY;
      }
    },
  );

  it('runs it as well where the machine allows no sandbox', async () => {
    const none = await probeSandbox(['/nonexistent']);

    const output = await runScript('process.stdout.write("hello")', {}, [], none);

    expect(none).toMatchObject({ isolation: 'none', limitsMemory: false });
    expect(Buffer.from(output).toString()).toBe('hello');
  });

  onLinux('stops a tool that eats memory by looking at it, where the kernel sets no limit', async () => {
    const eating = runScript(EAT_MEMORY, { maxToolMemoryBytes: 200_000_000 }, [], NO_SANDBOX);

    await expect(eating).rejects.toMatchObject({ code: 'render-limit', details: { limit: 'memory' } });
  });

  it('stops a tool that writes without end', async () => {
    const script =
      'const chunk = "x".repeat(65536); const write = () => { while (process.stdout.write(chunk)); process.stdout.once("drain", write); }; write();';

    await expect(runScript(script, { maxOutputBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'render-limit',
      details: { limit: 'output' },
    });
  });

  onLinux('stops a tool that eats memory', async () => {
    await expect(runScript(EAT_MEMORY, { maxToolMemoryBytes: 200_000_000 })).rejects.toMatchObject({
      code: 'render-limit',
      details: { limit: 'memory' },
    });
  });

  it('reports a tool that is not there', async () => {
    const missing = inTemporaryDirectory((directory) =>
      runTool({
        name: 'tool',
        binary: '/nonexistent/tool',
        argv: [],
        directory,
        workingDirectory: directory,
        limits: DEFAULT_RENDER_LIMITS,
      }),
    );

    await expect(missing).rejects.toMatchObject({ code: 'internal', retryable: true });
  });
});

function readsAs(path: string | undefined): string {
  return path?.split('/').at(-1) ?? '';
}

function turn(): Promise<void> {
  return new Promise((done) => setTimeout(done, 10));
}

/** Living processes of this machine whose command line holds a text. */
function processesWith(text: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

const PRIVATE_DIRECTORY = new URL('../../lib/render/private-directory.ts', import.meta.url).href;

describe('the private directory', () => {
  it('is closed to others while it is there, and gone afterwards, also after a failure', async () => {
    await inTemporaryDirectory(async (temporary) => {
      const mode = await withPrivateDirectory(
        temporary,
        async (directory) => (await stat(directory)).mode & 0o777,
      );
      const failing = withPrivateDirectory(temporary, async (directory) => {
        await materialise(directory, [['a/b/c.yaml', Buffer.from('x')]]);
        throw new Error('failed inside');
      });

      await expect(failing).rejects.toThrow('failed inside');
      expect(mode).toBe(0o700);
      expect(readdirSync(temporary)).toEqual([]);
    });
  });

  it('removes what a killed process left, and nothing that is in use or not ours', async () => {
    await inTemporaryDirectory(async (temporary) => {
      const old = new Date(Date.now() - 24 * 3_600_000);
      for (const name of ['holdfast-render-old', 'holdfast-render-new', 'other-old']) {
        await mkdir(join(temporary, name));
        await writeFile(join(temporary, name, 'file'), 'x');
        if (name.endsWith('old')) await utimes(join(temporary, name), old, old);
      }

      await withPrivateDirectory(temporary, async () => undefined);

      expect(readdirSync(temporary).sort()).toEqual(['holdfast-render-new', 'other-old']);
    });
  });

  it('removes at once what a process left that has ended, and keeps that of one that lives', async () => {
    await inTemporaryDirectory(async (temporary) => {
      const script = `
        const { withPrivateDirectory, materialise } = await import(${JSON.stringify(PRIVATE_DIRECTORY)});
        await withPrivateDirectory(${JSON.stringify(temporary)}, async (directory) => {
          await materialise(directory, [['secret', Buffer.from('x')]]);
          process.kill(process.pid, 'SIGKILL');
        });`;
      spawnSync(process.execPath, ['--input-type=module', '-e', script]);
      const left = readdirSync(temporary);

      const during = await withPrivateDirectory(temporary, () =>
        withPrivateDirectory(temporary, async () => readdirSync(temporary)),
      );

      expect(left).toHaveLength(1);
      expect(during).toHaveLength(2);
      expect(during).not.toContain(left[0]);
    });
  });

  it('is not taken for that of an earlier process with its number, nor of another machine', () => {
    const [machine, pid, start] = processMark().split('-');

    expect(hasEnded(processMark())).toBe(false);
    expect(hasEnded(`${machine}-${pid}-${Number(start) + 1}-Ab12`)).toBe(process.platform === 'linux');
    expect(hasEnded(`00000000-${pid}-${start}-Ab12`)).toBeUndefined();
    expect(hasEnded('Ab12cd')).toBeUndefined();
  });

  it.each(['../x', '/x', 'a/../../x', 'a\\b', 'a\u0000b'])('refuses to write %j', async (path) => {
    await inTemporaryDirectory(async (temporary) => {
      await expect(materialise(temporary, [[path, Buffer.from('x')]])).rejects.toMatchObject({
        code: 'render-refused',
      });
      expect(existsSync(join(temporary, 'x'))).toBe(false);
    });
  });

  it('refuses two files that come to one name', async () => {
    await inTemporaryDirectory(async (temporary) => {
      const files = [
        ['a', Buffer.from('x')],
        ['a', Buffer.from('y')],
      ] as const;

      await expect(materialise(temporary, files)).rejects.toMatchObject({ code: 'EEXIST' });
    });
  });
});

describe('what a tool said', () => {
  const hide = { directory: '/tmp/private-1', secrets: ['hunter22', 'hunter22-longer'] };

  it('loses our directory, control characters, dumped objects and secrets', () => {
    const words = safeWords(
      [
        'Error: accumulating resources: /tmp/private-1/tree/app/a.yaml: bad \u001b[31mred\u001b[0m\u0007',
        'error: map[string]interface {}{"data":{"password":"c2VjcmV0"}}: json: unsupported type',
        'cannot use hunter22-longer or hunter22',
        'cannot unmarshal !!str `c2VjcmV` into int',
      ].join('\n'),
      hide,
    );

    expect(words.split('\n')).toEqual([
      'Error: accumulating resources: app/a.yaml: bad red',
      'error: … (content left out)',
      'cannot use *** or ***',
      'cannot unmarshal a str into int',
    ]);
  });

  it('is left out where more secrets are involved than can be searched for', () => {
    const secrets = Array.from({ length: 6_000 }, (_, index) => `secret-${index}`);

    expect(safeWords('cannot use secret-5999', { ...hide, secrets })).not.toContain('secret-5999');
  });

  it('is shortened', () => {
    expect(safeWords('x'.repeat(100_000), hide).length).toBe(2_000);
  });
});
