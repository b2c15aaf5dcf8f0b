import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));

/** The command as a process of its own; jest's options are not for it. */
function holdfast(...argv: string[]) {
  const { NODE_OPTIONS: _jest, HOLDFAST_STATE_DIR: _state, ...env } = process.env;
  return spawnSync(process.execPath, [ENTRY, ...argv], { env, encoding: 'utf8' });
}

describe('bin/holdfast.js', () => {
  it('shows its commands, without the tour and without warnings of Node', () => {
    const { status, stdout, stderr } = holdfast('--help');

    expect(status).toBe(0);
    expect(stdout).toContain('bootstrap');
    expect(stdout).not.toContain('tour');
    expect(stderr).toBe('');
  });

  it('says where no installation is, in one line', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-entry-'));

    const { status, stdout, stderr } = holdfast('status', '--state-dir', directory);

    rmSync(directory, { recursive: true });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^error: no local installation in .*holdfast local.*\n$/);
  });

  it('ends with 64 for what it does not understand', () => {
    expect(holdfast('frobnicate').status).toBe(64);
  });
});
