import { elsewhereFromEnvironment, elsewhereToEnvironment } from '../../lib/compose/elsewhere.ts';

describe('what an installation may read from elsewhere', () => {
  it('comes back from the variables as it was written', () => {
    const options = {
      remoteBases: ['github.com', 'http://127.0.0.1:3000'],
      chartOrigins: ['http://charts.internal:8080'],
    };

    expect(elsewhereFromEnvironment(elsewhereToEnvironment(options))).toEqual(options);
  });

  it('is nothing where nothing is said', () => {
    expect(elsewhereToEnvironment({ remoteBases: [] })).toEqual({});
    expect(elsewhereFromEnvironment({ HOLDFAST_REMOTE_BASES: ' , ' })).toEqual({
      remoteBases: [],
      chartOrigins: [],
    });
  });

  it.each([
    [{ HOLDFAST_REMOTE_BASES: 'github.com,https://github.com/org' }, /https:\/\/github.com\/org/],
    [{ HOLDFAST_CHART_ORIGINS: 'charts.internal' }, /charts.internal/],
    [{ HOLDFAST_CHART_ORIGINS: 'oci://x' }, /oci/],
  ])('rejects %j', (environment, message) => {
    expect(() => elsewhereFromEnvironment(environment)).toThrow(message);
  });
});
