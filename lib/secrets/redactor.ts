/** Knows the secrets of this process, and takes them out of texts. */
export interface Redactor {
  /** From now on `mask` hides this value; of a JSON document every string in it too. */
  register(value: string): void;
  mask(text: string): string;
}

const MASK = '[secret]';
/** Shorter ones are too likely to be part of a word: masking them would make logs unreadable and hide little. */
const MIN_LENGTH = 4;
/** Below this a piece of base64 proves nothing. */
const MIN_ENCODED_LENGTH = 8;
/** More than the secret store keeps at once; the oldest are forgotten first. */
const MAX_SECRETS = 5_000;
/** Members of a credential document that are no secrets. */
const PUBLIC_MEMBERS = new Set(['username', 'clientCertificate']);

/**
 * Hides registered values wherever they stand: as they are, escaped for JSON or a URL, in base64 at any offset (a Basic
 * header holds a password behind a user name), and line by line where they have several (a PEM key).
 */
export function createRedactor(): Redactor {
  /** By value, so that registering again renews its age. */
  const forms = new Map<string, readonly string[]>();
  let sorted: readonly string[] | undefined;

  function add(secret: string): void {
    if (secret.length < MIN_LENGTH) return;
    const known = forms.get(secret);
    forms.delete(secret);
    forms.set(secret, known ?? formsOf(secret));
    if (known !== undefined) return;
    const [oldest] = forms.keys();
    if (forms.size > MAX_SECRETS && oldest !== undefined) forms.delete(oldest);
    sorted = undefined;
  }

  return {
    register(value) {
      add(value);
      for (const part of partsOf(value)) add(part);
    },
    mask(text) {
      // Longest first: a secret may hold another one.
      sorted ??= [...new Set([...forms.values()].flat())].sort((a, b) => b.length - a.length);
      let masked = text;
      for (const form of sorted) if (masked.includes(form)) masked = masked.replaceAll(form, MASK);
      return masked;
    },
  };
}

/** The strings of a JSON document, and the lines of a text that has several. */
function partsOf(value: string): readonly string[] {
  const parts: string[] = [];
  if (value.startsWith('{')) {
    try {
      const document = JSON.parse(value) as Readonly<Record<string, unknown>>;
      for (const [name, member] of Object.entries(document)) {
        if (typeof member === 'string' && !PUBLIC_MEMBERS.has(name)) parts.push(member);
      }
    } catch {
      // Not JSON: hidden as a whole.
    }
  }
  const lines = [value, ...parts].flatMap((text) => text.split(/\r?\n/));
  const telling = lines.filter((line) => line.length >= 16 && !line.startsWith('-----') && line !== value);
  return [...parts, ...telling];
}

function formsOf(secret: string): readonly string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  const forms = new Set([
    secret,
    escaped,
    JSON.stringify(escaped).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('hex'),
  ]);
  for (const offset of [0, 1, 2]) {
    const encoded = base64At(secret, offset);
    if (encoded.length < MIN_ENCODED_LENGTH) continue;
    forms.add(encoded);
    forms.add(encoded.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [...forms];
}

/** The digits that depend on the secret alone when it is encoded behind `offset` other bytes. */
function base64At(secret: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
  const digits = bytes.toString('base64').replace(/=+$/, '');
  const first = Math.ceil((offset * 8) / 6);
  const end = Math.floor((bytes.length * 8) / 6);
  return digits.slice(first, end);
}
