import { checkRenderer } from '../../lib/cli/doctor/check-renderer.ts';
import { NO_SANDBOX } from '../../lib/render/sandbox.ts';

describe('what doctor says of the renderer', () => {
  it('is fine where tools are cut off', () => {
    const finding = checkRenderer({ ...NO_SANDBOX, isolation: 'isolated', limitsMemory: true });

    expect(finding).toMatchObject({ verdict: 'ok', message: expect.stringContaining('without network') });
  });

  it('is a warning with something to do where nothing holds them', () => {
    expect(checkRenderer(NO_SANDBOX)).toMatchObject({
      verdict: 'warning',
      message: expect.stringContaining('with the network'),
      action: expect.stringContaining('docs/rendering-security.md'),
    });
  });
});
