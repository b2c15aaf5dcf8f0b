/**
 * What Flux 2.9 makes of a text: fluxcd/pkg/envsubst in strict mode. Worked out by hand from its grammar and its own
 * documentation, not taken from this implementation.
 */
export type SubstitutionCase = {
  readonly what: string;
  readonly text: string;
  readonly variables?: Readonly<Record<string, string>>;
} & (
  | { readonly becomes: string }
  /** Undefined and without a default. */
  | { readonly misses: readonly string[] }
  | { readonly refused: 'bad substitution' | 'closing brace' | 'variable name' | 'within' | 'nested' }
);

const path = { P: '/home/bozo/ideas/thoughts.for.today' };
const file = { F: 'bash.string.txt' };
const dirs = { D: 'path/to/file' };
const abc = { Z: 'abcABC123ABCabc' };
const mixed = { V: 'abcdEFGH28ij' };
const digits = { N: '123456789' };

export const SUBSTITUTION_CASES: readonly SubstitutionCase[] = [
  // Plain
  { what: 'text alone', text: 'abcdEFGH28ij', becomes: 'abcdEFGH28ij' },
  { what: 'the empty text', text: '', becomes: '' },
  { what: 'a variable', text: '${A}', variables: { A: 'b' }, becomes: 'b' },
  { what: 'a variable among text', text: 'x-${A}.y', variables: { A: 'b' }, becomes: 'x-b.y' },
  { what: 'two in a row', text: '${A}${B}', variables: { A: '1', B: '2' }, becomes: '12' },
  { what: 'an empty variable', text: '[${A}]', variables: { A: '' }, becomes: '[]' },
  { what: 'an underscore name', text: '${_a_1}', variables: { _a_1: 'x' }, becomes: 'x' },
  {
    what: 'a value that looks like a variable',
    text: '${A}',
    variables: { A: '${B}', B: 'x' },
    becomes: '${B}',
  },
  { what: 'a value with dollars', text: '${A}', variables: { A: '$$x$&$1' }, becomes: '$$x$&$1' },
  { what: 'a closing brace alone', text: '}text{', becomes: '}text{' },
  { what: 'an undefined variable', text: '${A}', misses: ['A'] },
  { what: 'all undefined variables at once', text: '${A} ${B} ${A}', misses: ['A', 'B'] },
  {
    what: 'names that objects have by nature',
    text: '${constructor}${toString}',
    misses: ['constructor', 'toString'],
  },
  { what: 'a name of another script', text: '${größe}', misses: ['größe'] },
  { what: 'a name that begins with a digit', text: '${1a}', misses: ['1a'] },

  // Dollars and escapes
  { what: 'a variable without braces', text: '$A $A_B', variables: { A: 'x' }, becomes: '$A $A_B' },
  { what: 'a dollar at the end', text: 'cost in $', becomes: 'cost in $' },
  { what: 'a command substitution', text: '$(date)', becomes: '$(date)' },
  { what: 'an escaped variable', text: '$${A}', variables: { A: 'x' }, becomes: '${A}' },
  { what: 'an escaped undefined variable', text: '$${A}', becomes: '${A}' },
  { what: 'two dollars before text', text: 'a$$b', becomes: 'a$b' },
  { what: 'two dollars at the end', text: '$$', becomes: '$' },
  { what: 'three dollars before a brace', text: '$$${A}', variables: { A: 'x' }, becomes: '$x' },
  { what: 'four dollars before a brace', text: '$$$${A}', variables: { A: 'x' }, becomes: '$${A}' },
  { what: 'three dollars before text', text: '$$$a', becomes: '$$a' },
  {
    what: 'escapes and variables mixed',
    text: 'some text ${V}$${v$${V}$V${V}',
    variables: mixed,
    becomes: 'some text abcdEFGH28ij${v${V}$VabcdEFGH28ij',
  },
  { what: 'a variable in an escaped one', text: '$${v=${A}}', variables: { A: 'foo' }, becomes: '${v=foo}' },
  { what: 'backslashes outside', text: '\\\\x \\${A}', variables: { A: 'y' }, becomes: '\\\\x \\y' },
  { what: 'slashes outside', text: 'http://a//b', becomes: 'http://a//b' },

  // ${#v}
  { what: 'length', text: '${#V}', variables: mixed, becomes: '12' },
  { what: 'length in bytes', text: '${#A}', variables: { A: 'né€😀' }, becomes: '10' },
  { what: 'length of nothing', text: '${#A}', variables: { A: '' }, becomes: '0' },
  { what: 'length of an undefined variable', text: '${#A}', misses: ['A'] },

  // Case
  { what: 'first capital', text: '${V^}', variables: mixed, becomes: 'AbcdEFGH28ij' },
  { what: 'capitals', text: '${V^^}', variables: mixed, becomes: 'ABCDEFGH28IJ' },
  { what: 'first small', text: '${A,}', variables: { A: 'ABC' }, becomes: 'aBC' },
  { what: 'small letters', text: '${V,,}', variables: mixed, becomes: 'abcdefgh28ij' },
  { what: 'capitals beyond ASCII', text: '${A^^}', variables: { A: 'äß' }, becomes: 'Äß' },
  { what: 'first capital beyond ASCII', text: '${A^}', variables: { A: 'éa' }, becomes: 'Éa' },
  { what: 'first capital of nothing', text: '${A^}', variables: { A: '' }, becomes: '' },
  { what: 'both signs of case', text: '${A^,}', variables: { A: 'aB' }, becomes: 'aB' },
  { what: 'case of an undefined variable', text: '${A^^}', misses: ['A'] },
  { what: 'three signs of case', text: '${A^^^}', variables: { A: 'a' }, refused: 'bad substitution' },

  // ${v:n} and ${v:n:len}
  { what: 'an offset', text: '${P:11}', variables: path, becomes: 'ideas/thoughts.for.today' },
  { what: 'an offset and a length', text: '${P:11:5}', variables: path, becomes: 'ideas' },
  { what: 'offset 0', text: '${N:0}', variables: digits, becomes: '123456789' },
  { what: 'an offset at the end', text: '[${N:9}]', variables: digits, becomes: '[]' },
  { what: 'an offset beyond the end', text: '[${N:99:1}]', variables: digits, becomes: '[]' },
  { what: 'a length beyond the end', text: '${N:7:50}', variables: digits, becomes: '89' },
  { what: 'length 0', text: '[${N:3:0}]', variables: digits, becomes: '[]' },
  { what: 'a negative length', text: '${N:1:-1}', variables: digits, becomes: '2345678' },
  { what: 'a negative length before the offset', text: '[${N:8:-8}]', variables: digits, becomes: '[]' },
  {
    what: 'an offset from a variable',
    text: '${N:${O}}',
    variables: { ...digits, O: '4' },
    becomes: '56789',
  },
  { what: 'a negative offset', text: '${N:${O}}', variables: { ...digits, O: '-3' }, becomes: '789' },
  {
    what: 'a negative offset and a length',
    text: '${N:${O}:2}',
    variables: { ...digits, O: '-3' },
    becomes: '78',
  },
  {
    what: 'a negative offset beyond the start',
    text: '${N:${O}:3}',
    variables: { ...digits, O: '-300' },
    becomes: '123',
  },
  { what: 'a blank before an offset', text: '${N: -3}', variables: digits, becomes: '123456789' },
  { what: 'an offset that is no number', text: '${N:two}', variables: digits, becomes: '123456789' },
  { what: 'a length that is no number', text: '${N:2:x}', variables: digits, becomes: '123456789' },
  {
    what: 'an offset beyond 64 bits',
    text: '${N:9223372036854775808}',
    variables: digits,
    becomes: '123456789',
  },
  {
    what: 'an offset with a sign and zeros',
    text: '${N:${O}}',
    variables: { ...digits, O: '+007' },
    becomes: '89',
  },
  { what: 'a second colon twice', text: '${N:1::2}', variables: digits, becomes: '23' },
  { what: 'an offset in bytes', text: '${A:2}', variables: { A: 'éa' }, becomes: 'a' },
  { what: 'an offset of an undefined variable', text: '${A:1}', misses: ['A'] },
  { what: 'no offset', text: '${N:}', variables: digits, refused: 'within' },
  { what: 'no offset but a length', text: '${N::2}', variables: digits, refused: 'within' },
  { what: 'no length', text: '${N:1:}', variables: digits, refused: 'within' },
  { what: 'an offset of several bytes', text: '${N:é}', variables: digits, refused: 'bad substitution' },

  // ${v#glob} and its like
  { what: 'shortest prefix', text: '${F#*.}', variables: file, becomes: 'string.txt' },
  { what: 'longest prefix', text: '${F##*.}', variables: file, becomes: 'txt' },
  { what: 'shortest suffix', text: '${F%.*}', variables: file, becomes: 'bash.string' },
  { what: 'longest suffix', text: '${F%%.*}', variables: file, becomes: 'bash' },
  { what: 'a star across slashes', text: '${D##*/}', variables: dirs, becomes: 'file' },
  { what: 'shortest prefix up to a slash', text: '${D#*/}', variables: dirs, becomes: 'to/file' },
  {
    what: 'a prefix that is only the slash',
    text: '${D#*/}',
    variables: { D: '/path/to/file' },
    becomes: 'path/to/file',
  },
  { what: 'dirname', text: '${D%/*}', variables: dirs, becomes: 'path/to' },
  { what: 'a literal prefix', text: '${A#v}', variables: { A: 'v1.2.3' }, becomes: '1.2.3' },
  { what: 'a literal suffix', text: '${A%.git}', variables: { A: 'repo.git' }, becomes: 'repo' },
  { what: 'a prefix that is not there', text: '${A#x}', variables: { A: 'v1' }, becomes: 'v1' },
  { what: 'a prefix that is everything', text: '[${A##*}]', variables: { A: 'v1' }, becomes: '[]' },
  { what: 'a star that may stand for nothing', text: '${A#*}', variables: { A: 'v1' }, becomes: '1' },
  { what: 'question marks', text: '${A#??}', variables: { A: 'éab' }, becomes: 'b' },
  { what: 'a class', text: '${A#[a-c]}', variables: { A: 'bx' }, becomes: 'x' },
  { what: 'a negated class', text: '${A##*[^0-9]}', variables: { A: 'node-42' }, becomes: '42' },
  { what: 'an escaped star', text: '${A#\\*}', variables: { A: '*x' }, becomes: 'x' },
  { what: 'a malformed class', text: '${A#[a}', variables: { A: 'ax' }, becomes: 'ax' },
  {
    what: 'a class in a suffix, which is turned round',
    text: '${A%[0-9]}',
    variables: { A: 'x1' },
    becomes: 'x1',
  },
  { what: 'odd signs in a glob', text: '${A#$%:*{}', variables: { A: '$%:x{y' }, becomes: 'y' },
  { what: 'three hashes', text: '${A###x}', variables: { A: '#xy' }, becomes: 'y' },
  { what: 'a glob from a variable', text: '${A#${B}}', variables: { A: 'v1', B: 'v' }, becomes: '1' },
  {
    what: 'a glob from text and variable',
    text: '${A#v${B}}',
    variables: { A: 'v1', B: '1' },
    refused: 'bad substitution',
  },
  { what: 'no glob', text: '${A#}', variables: { A: 'v1' }, refused: 'within' },
  { what: 'a prefix of an undefined variable', text: '${A#x}', misses: ['A'] },

  // Defaults
  { what: 'a default not used', text: '${A=xyz}', variables: { A: 'abc' }, becomes: 'abc' },
  { what: 'a default', text: '${A=xyz}', becomes: 'xyz' },
  { what: 'a default with a colon', text: '${A:=xyz}', becomes: 'xyz' },
  { what: 'a default with a dash', text: '${A:-xyz}', becomes: 'xyz' },
  { what: 'a default for an empty variable', text: '${A:-xyz}', variables: { A: '' }, becomes: 'xyz' },
  {
    what: 'a default for an empty variable, without colon',
    text: '${A=xyz}',
    variables: { A: '' },
    becomes: 'xyz',
  },
  { what: 'an assignment, which assigns nothing', text: '${A:=x}${A:=y}', becomes: 'xy' },
  { what: 'an empty default', text: '[${A:-}]', becomes: '[]' },
  { what: 'the error form, which is a default', text: '${A:?unset}', becomes: 'unset' },
  {
    what: 'the alternative form, which is a default',
    text: '${A:+x}${B:+y}',
    variables: { A: 'a' },
    becomes: 'ay',
  },
  { what: 'a default in a default', text: '${A:-${B:-c}}', becomes: 'c' },
  {
    what: 'a variable in a default',
    text: 'something ${A=${B}}',
    variables: { B: 'foo' },
    becomes: 'something foo',
  },
  {
    what: 'a default of several parts',
    text: '${A=pre${B}-suf}',
    variables: { B: 'x' },
    becomes: 'prex-suf',
  },
  { what: 'a default with an operation', text: '${A=${V^^}}', variables: mixed, becomes: 'ABCDEFGH28IJ' },
  { what: 'a default with blanks and signs', text: '${A:-a b: #/c\\}', becomes: 'a b: #/c\\' },
  { what: 'two dollars in a default', text: '${A:-$$x}', becomes: '$$x' },
  {
    what: 'two dollars before a brace in a default',
    text: '${A:-$${B}}',
    variables: { B: 'x' },
    becomes: '$x',
  },
  { what: 'an undefined variable in a default', text: '${A:-${B}}', misses: ['B'] },
  {
    what: 'an undefined variable in a default not used',
    text: '${A:-${B}}',
    variables: { A: 'a' },
    misses: ['B'],
  },
  { what: 'the dash without colon', text: '${A-d}', variables: { A: 'a' }, refused: 'closing brace' },
  { what: 'the plus without colon', text: '${A+d}', variables: { A: 'a' }, refused: 'closing brace' },
  { what: 'a default that does not end', text: '${A:-x', refused: 'within' },

  // Replacement
  { what: 'the first', text: '${Z/abc/xyz}', variables: abc, becomes: 'xyzABC123ABCabc' },
  { what: 'all', text: '${Z//abc/xyz}', variables: abc, becomes: 'xyzABC123ABCxyz' },
  { what: 'at the start', text: '${Z/#abc/XYZ}', variables: abc, becomes: 'XYZABC123ABCabc' },
  { what: 'at the end', text: '${Z/%abc/XYZ}', variables: abc, becomes: 'abcABC123ABCXYZ' },
  { what: 'at the start, where it is not', text: '${Z/#ABC/x}', variables: abc, becomes: 'abcABC123ABCabc' },
  { what: 'at the end, where it is not', text: '${Z/%ABC/x}', variables: abc, becomes: 'abcABC123ABCabc' },
  { what: 'the first by nothing', text: '${A/./}', variables: { A: 'a.b.c' }, becomes: 'ab.c' },
  { what: 'all by nothing', text: '${A//./}', variables: { A: 'a.b.c' }, becomes: 'abc' },
  {
    what: 'at the start by nothing, which does nothing',
    text: '${A/#a/}',
    variables: { A: 'ab' },
    becomes: 'ab',
  },
  {
    what: 'at the end by nothing, which does nothing',
    text: '${A/%b/}',
    variables: { A: 'ab' },
    becomes: 'ab',
  },
  { what: 'nothing at the start', text: '${A/#/pre-}', variables: { A: 'x' }, becomes: 'pre-x' },
  { what: 'nothing at the end', text: '${A/%/-suf}', variables: { A: 'x' }, becomes: 'x-suf' },
  { what: 'nothing, everywhere', text: '${A///-}', variables: { A: 'aé' }, becomes: '-a-é-' },
  { what: 'a pattern that is no glob', text: '${A/*/x}', variables: { A: 'a*b' }, becomes: 'axb' },
  {
    what: 'a replacement with dollar signs of its own',
    text: '${A/a/$1$&}',
    variables: { A: 'ab' },
    becomes: '$1$&b',
  },
  { what: 'an escaped slash', text: '${A/\\//-}', variables: { A: 'a/b/c' }, becomes: 'a-b/c' },
  { what: 'all escaped slashes', text: '${A//\\//-}', variables: { A: 'a/b/c' }, becomes: 'a-b-c' },
  { what: 'a slash in the replacement', text: '${A/-/\\/x}', variables: { A: 'a-b' }, becomes: 'a/xb' },
  { what: 'an escaped backslash', text: '${A/\\\\/x}', variables: { A: 'a\\b' }, becomes: 'axb' },
  {
    what: 'a backslash before something else',
    text: '${A/\\n/x}',
    variables: { A: 'a\\nb' },
    becomes: 'axb',
  },
  { what: 'two dollars in a replacement', text: '${A/b/$$}', variables: { A: 'ab' }, becomes: 'a$' },
  { what: 'several slashes between', text: '${A/b///c}', variables: { A: 'ab' }, becomes: 'ac' },
  {
    what: 'variables for both',
    text: '${A//${B}/${C}}',
    variables: { A: 'xyx', B: 'x', C: '1' },
    becomes: '1y1',
  },
  {
    what: 'text and variable as replacement',
    text: '${A/b/c${C}}',
    variables: { A: 'ab', C: '1' },
    refused: 'bad substitution',
  },
  { what: 'a brace in a pattern', text: '${A/}/x}', variables: { A: 'a}b' }, becomes: 'axb' },
  { what: 'no second slash', text: '${A/b}', variables: { A: 'ab' }, refused: 'bad substitution' },
  { what: 'a replacement in an undefined variable', text: '${A//b/c}', misses: ['A'] },

  // Malformed
  { what: 'no name', text: '${}', refused: 'variable name' },
  { what: 'a blank name', text: '${ A}', refused: 'variable name' },
  { what: 'a name with a dash in front', text: '${-A}', refused: 'variable name' },
  { what: 'a name that does not end', text: '${A', refused: 'closing brace' },
  { what: 'a brace that is not closed', text: 'x ${', refused: 'variable name' },
  { what: 'a blank behind the name', text: '${A }', refused: 'closing brace' },
  { what: "nginx's and logback's variables", text: '${request.uri}', refused: 'closing brace' },
  { what: "a shell's indirection", text: '${!A}', refused: 'variable name' },
  { what: "a shell's array", text: '${A[0]}', refused: 'closing brace' },
  { what: 'a length with an operation', text: '${#A:-x}', refused: 'bad substitution' },
  { what: 'a length of nothing named', text: '${#}', refused: 'bad substitution' },
  { what: 'deeper than anybody nests', text: `${'${A:-'.repeat(101)}x${'}'.repeat(101)}`, refused: 'nested' },
];
