import { namesFromEnvironment, namesToEnvironment, secondsFromEnvironment } from '../../lib/compose/names.ts';
import { composeWebhookFromEnvironment } from '../../lib/compose/webhook.ts';

const names = {
  installation: 'prod',
  table: 't',
  sourceQueueUrl: 's',
  targetQueueUrl: 'q',
  bucket: 'b',
  secretPrefix: 'p',
};

describe('the names in the environment', () => {
  it('come back as they were written', () => {
    const environment = namesToEnvironment(names);

    expect(namesFromEnvironment(environment, ['table', 'bucket'])).toEqual({ table: 't', bucket: 'b' });
  });

  it('rejects with every variable that is missing or empty', () => {
    const environment = { ...namesToEnvironment(names), HOLDFAST_TABLE: '', HOLDFAST_BUCKET: undefined };

    expect(() => namesFromEnvironment(environment, ['table', 'bucket', 'installation'])).toThrow(
      'HOLDFAST_TABLE, HOLDFAST_BUCKET',
    );
  });

  it.each(['0', '-1', 'abc', 'Infinity', '1s'])('rejects "%s" as a duration', (text) => {
    expect(() =>
      secondsFromEnvironment({ HOLDFAST_LEASE_SECONDS: text }, 'HOLDFAST_LEASE_SECONDS', 60),
    ).toThrow(`HOLDFAST_LEASE_SECONDS: expected a positive number of seconds, got "${text}"`);
  });

  it('reads a duration, or takes the default', () => {
    expect(secondsFromEnvironment({ X: '2.5' }, 'X', 60)).toBe(2.5);
    expect(secondsFromEnvironment({}, 'X', 60)).toBe(60);
  });

  it('rejects a webhook function without them', () => {
    expect(() => composeWebhookFromEnvironment({})).toThrow(
      'HOLDFAST_TABLE, HOLDFAST_SOURCE_QUEUE_URL, HOLDFAST_SECRET_PREFIX',
    );
  });
});
