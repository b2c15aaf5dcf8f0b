import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { createRedactor } from '../../lib/secrets/redactor.ts';

const SECRET = 'p+ss/w"ord\\1234567';

describe('the redactor', () => {
  it.each([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify({ key: SECRET })],
    ['in JSON in JSON', JSON.stringify(JSON.stringify({ key: SECRET }))],
    ['in a URL', `https://host/?token=${encodeURIComponent(SECRET)}`],
    ['in a Basic header', `Basic ${Buffer.from(`x-access-token:${SECRET}`).toString('base64')}`],
    ['in base64url', Buffer.from(`ab${SECRET}cd`).toString('base64url')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
  ])('hides a secret %s', (_how, text) => {
    const redactor = createRedactor();
    redactor.register(SECRET);

    const masked = redactor.mask(`before ${text} after`);

    expect(masked).toMatch(/^before .*\[secret\].* after$/s);
    expect(masked).not.toContain(SECRET);
    expect(masked).not.toContain(text);
  });

  it('hides every secret member of a credential document, and leaves the user name', () => {
    const redactor = createRedactor();
    redactor.register('{"username":"deployer","password":"pw-canary-1","token":"tk-canary-2"}');

    const masked = redactor.mask('deployer sent pw-canary-1 and tk-canary-2');

    expect(masked).toBe('deployer sent [secret] and [secret]');
  });

  it('hides single lines of a private key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const redactor = createRedactor();
    redactor.register(JSON.stringify({ clientCertificate: 'public', clientKey: pem }));
    const line = pem.split('\n')[1] ?? '';

    const masked = redactor.mask(`bad PEM near ${line}, public`);

    expect(masked).toBe('bad PEM near [secret], public');
  });

  it('hides any text, in base64 behind any other bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, unit: 'grapheme-ascii' }),
        fc.uint8Array({ maxLength: 9 }),
        fc.uint8Array({ maxLength: 9 }),
        (secret, before, after) => {
          const redactor = createRedactor();
          redactor.register(secret);
          const encoded = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');

          const masked = redactor.mask(encoded);

          return masked.includes('[secret]') && !redactor.mask(secret).includes(secret);
        },
      ),
    );
  });

  it('forgets the oldest when there are too many, never one that is still in use', () => {
    const redactor = createRedactor();
    redactor.register('secret-in-use');
    redactor.register('secret-of-old');

    for (let i = 0; i < 5_100; i += 1) {
      redactor.register('secret-in-use');
      redactor.register(`another-${i}`);
    }

    expect(redactor.mask('secret-in-use')).toBe('[secret]');
    expect(redactor.mask('secret-of-old')).toBe('secret-of-old');
  });

  it('leaves texts alone without secrets', () => {
    expect(createRedactor().mask('plain')).toBe('plain');
  });
});
