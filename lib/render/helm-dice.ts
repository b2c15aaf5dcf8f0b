/** Functions of Helm's templates whose result is another one each time, or another tomorrow. */
const DICE = new Set([
  ...['randAlphaNum', 'randAlpha', 'randNumeric', 'randAscii', 'randBytes', 'randInt', 'shuffle', 'uuidv4'],
  ...['genPrivateKey', 'genCA', 'genCAWithKey', 'genSelfSignedCert', 'genSelfSignedCertWithKey'],
  ...['genSignedCert', 'genSignedCertWithKey', 'htpasswd', 'bcrypt', 'encryptAES', 'getHostByName'],
  ...['now', 'ago', 'date_in_zone', 'dateInZone', 'htmlDate', 'htmlDateInZone', 'date'],
]);

/**
 * What stands in for a function in the second render, so that chance and a clock that stands still for a second cannot
 * make the two alike: each takes the same arguments, and never gives what the first can have given.
 */
const OTHER_DICE: Readonly<Record<string, string>> = {
  now: '(toDate `2006-01-02` `1999-05-17`)',
  ago: 'toString',
  // Above every result, which lies below the second argument.
  randInt: 'max',
  // Base64: longer than what was asked for.
  randAlphaNum: 'randBytes',
  randAlpha: 'randBytes',
  randNumeric: 'randBytes',
  randAscii: 'randBytes',
  shuffle: 'b64enc',
};

/** These give the entries of a map in no order. */
const SHUFFLED = new Set(['keys', 'values']);

/**
 * How often a template has to be rendered more than once to see what comes out differently: not at all; once, with other
 * dice; or more often, because two entries of a map come in the same order every other time.
 */
export function rendersToCompare(text: string): number {
  const all = calls(text);
  const sorted = new Set(all.flatMap(({ name, action }) => (name === 'sortAlpha' ? [action] : [])));
  if (all.some(({ name, action }) => SHUFFLED.has(name) && !sorted.has(action))) return 4;
  return all.some(({ name }) => DICE.has(name)) ? 1 : 0;
}

/** The text with other functions in place of those that chance or the clock may make alike. */
export function withOtherDice(text: string): string {
  let rewritten = '';
  let at = 0;
  for (const { name, start } of calls(text)) {
    const other = Object.hasOwn(OTHER_DICE, name) ? OTHER_DICE[name] : undefined;
    if (other === undefined) continue;
    rewritten += text.slice(at, start) + other;
    at = start + name.length;
  }
  return rewritten + text.slice(at);
}

interface Call {
  readonly name: string;
  readonly start: number;
  /** Where its action begins. */
  readonly action: number;
}

/** In an action of Go's text/template: its end; what can hold no call; a bare word; a quote that never closes; the rest. */
const TOKEN =
  /(?<end>-?\}\})|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*'|[.$][\p{L}\p{N}_]*|\p{N}[\p{L}\p{N}_]*|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<open>["'`])|[\s\S]/uy;
const COMMENT = /-?\s*\/\*/y;

/** The bare words in all actions, which are functions and keywords. Linear in the text's length. */
function calls(text: string): readonly Call[] {
  const found: Call[] = [];
  for (let open = text.indexOf('{{'); open >= 0; open = text.indexOf('{{', TOKEN.lastIndex)) {
    COMMENT.lastIndex = open + 2;
    if (COMMENT.test(text)) {
      const close = text.indexOf('*/', COMMENT.lastIndex);
      if (close < 0) return found;
      TOKEN.lastIndex = close + 2;
    } else {
      TOKEN.lastIndex = open + 2;
    }
    for (let ended = false; !ended; ) {
      const start = TOKEN.lastIndex;
      const groups = TOKEN.exec(text)?.groups;
      // Past its end, or no template: searching on for a quote that is not there would take for ever.
      if (groups === undefined || groups['open'] !== undefined) return found;
      if (groups['end'] !== undefined) ended = true;
      else if (groups['name'] !== undefined) found.push({ name: groups['name'], start, action: open });
    }
  }
  return found;
}
