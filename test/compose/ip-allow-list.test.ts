import { IP_ALLOW_LIST_VARIABLE, readIpAllowList } from '../../lib/compose/ip-allow-list.ts';
import { composeWebhookFromEnvironment } from '../../lib/compose/webhook.ts';

describe('the list of addresses that may send webhooks', () => {
  it('admits what lies in one of its ranges, of both families, and single addresses', () => {
    const isAllowed = readIpAllowList('192.30.252.0/22, 2a0a:a440::/29,203.0.113.7');

    const answers = ['192.30.255.255', '2a0a:a440::1', '203.0.113.7'].map((address) => isAllowed?.(address));

    expect(answers).toEqual([true, true, true]);
  });

  it.each([
    '192.31.0.1',
    '2a0b::1',
    '203.0.113.8',
    '',
    'localhost',
    '192.30.252.1, 10.0.0.1',
    'fe80::1%eth0',
  ])('refuses "%s"', (address) => {
    const isAllowed = readIpAllowList('192.30.252.0/22,2a0a:a440::/29,203.0.113.7');

    expect(isAllowed?.(address)).toBe(false);
  });

  it('is no restriction where it is not set', () => {
    expect(readIpAllowList(undefined)).toBeUndefined();
  });

  it.each([
    '',
    '10.0.0.0/8,',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0/8',
    'github.com',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
  ])('rejects "%s", rather than guess who was meant', (text) => {
    expect(() => readIpAllowList(text)).toThrow(IP_ALLOW_LIST_VARIABLE);
  });

  it('is read by the webhook function', () => {
    const environment = {
      HOLDFAST_INSTALLATION: 'i',
      HOLDFAST_TABLE: 't',
      HOLDFAST_SOURCE_QUEUE_URL: 'q',
      HOLDFAST_SECRET_PREFIX: 'p',
      HOLDFAST_IP_ALLOW_LIST: '192.30.252.0/22',
      AWS_REGION: 'eu-west-1',
    };
    const { AWS_REGION: before } = process.env;
    process.env.AWS_REGION = environment.AWS_REGION;

    const deps = composeWebhookFromEnvironment(environment);

    if (before === undefined) delete process.env.AWS_REGION;
    else process.env.AWS_REGION = before;
    expect(deps.isAllowedAddress?.('192.30.252.1')).toBe(true);
    expect(deps.isAllowedAddress?.('8.8.8.8')).toBe(false);
  });
});
