import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { materialise, withPrivateDirectory } from '../../lib/render/private-directory.ts';
import { runTool, ToolFailure } from '../../lib/render/run-tool.ts';
import { safeWords } from '../../lib/render/tool-words.ts';
import { inTemporaryDirectory } from './rendering.ts';

/** A program of ours in the place of a tool. */
function runScript(script: string, limits: Partial<typeof DEFAULT_RENDER_LIMITS> = {}) {
  return inTemporaryDirectory((directory) =>
    runTool({
      name: 'tool',
      binary: process.execPath,
      argv: ['-e', script],
      directory,
      workingDirectory: directory,
      limits: { ...DEFAULT_RENDER_LIMITS, ...limits },
    }),
  );
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('running a tool', () => {
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

  it('stops a tool that never ends, and what it started', async () => {
    await inTemporaryDirectory(async (directory) => {
      const pids = join(directory, 'pids');
      const script = `
        const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
        require('node:fs').writeFileSync(${JSON.stringify(pids)}, JSON.stringify([process.pid, child.pid]));
        setInterval(() => {}, 1000);`;

      await expect(runScript(script, { toolTimeoutMs: 1_500 })).rejects.toMatchObject({
        code: 'render-limit',
        details: { limit: 'timeout' },
      });

      const started = JSON.parse(readFileSync(pids, 'utf8')) as number[];
      expect(started).toHaveLength(2);
      // A killed orphan stays visible until init reaps it, so its death is waited for.
      while (started.some((pid) => isAlive(pid) && !isZombie(pid)))
        await new Promise((done) => setImmediate(done));
    });
  });

  it('stops a tool that writes without end', async () => {
    const script =
      'const chunk = "x".repeat(65536); const write = () => { while (process.stdout.write(chunk)); process.stdout.once("drain", write); }; write();';

    await expect(runScript(script, { maxOutputBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'render-limit',
      details: { limit: 'output' },
    });
  });

  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('stops a tool that eats memory', async () => {
    const script = 'const kept = []; setInterval(() => kept.push(Buffer.alloc(20_000_000, 1)), 1);';

    await expect(runScript(script, { maxToolMemoryBytes: 200_000_000 })).rejects.toMatchObject({
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

function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

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
