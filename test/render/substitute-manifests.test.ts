import type { Substitution } from '../../lib/model/application.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { collectVariables } from '../../lib/render/substitute/collect-variables.ts';
import { substituteManifests } from '../../lib/render/substitute/substitute-manifests.ts';
import { anApplication } from './rendering.ts';

function drafts(text: string): readonly Manifest[] {
  const { manifests, faults } = parseManifests(text, ({ line }) => ({ file: 'a.yaml', line }), {
    ...DEFAULT_RENDER_LIMITS,
    drafts: true,
  });
  expect(faults).toEqual([]);
  return manifests;
}

function named(variables: Substitution['variables']) {
  return collectVariables(anApplication({ render: { tool: 'auto', substitute: { variables } } }));
}

function substitute(text: string, variables: Substitution['variables'], facts: Partial<Substitution> = {}) {
  return substituteManifests(drafts(text), named(variables), facts.strategy).map(({ object }) => object);
}

function refusal(text: string, variables: Substitution['variables'] = { GIVEN: 'x' }): string {
  try {
    substituteManifests(drafts(text), named(variables));
  } catch (error) {
    expect(error).toBeInstanceOf(HoldfastError);
    return (error as HoldfastError).message;
  }
  throw new Error('nothing was refused');
}

const configMap = (data: string, metadata = '{name: a}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\ndata:\n  ${data}\n`;

describe('substituteManifests', () => {
  it('gives values their own types, whatever quotes the source had', () => {
    const [object] = substitute(
      'apiVersion: x.io/v1\nkind: Thing\nmetadata: {name: a}\nspec:\n  a: ${N}\n  b: "${N}"\n  c: ${B}\n  d: ${Q}${N}${Q}\n  e: v${N}\n  f: ${E}\n',
      { N: '3', B: 'true', Q: '"', E: '' },
    );

    expect(object?.spec).toEqual({ a: 3, b: 3, c: true, d: '3', e: 'v3', f: null });
  });

  it('takes variables in names, namespaces, kinds, versions and keys', () => {
    const [object] = substitute(
      'apiVersion: ${GROUP}/v1\nkind: ${KIND}\nmetadata:\n  name: ${NAME}-web\n  namespace: ${NS,,}\nspec: {"${KEY}": 1}\n',
      { GROUP: 'x.io', KIND: 'Thing', NAME: 'eu', NS: 'SHOP', KEY: 'k' },
    );

    expect(object).toEqual({
      apiVersion: 'x.io/v1',
      kind: 'Thing',
      metadata: { name: 'eu-web', namespace: 'shop' },
      spec: { k: 1 },
    });
  });

  it('takes the newlines out of values', () => {
    const [object] = substitute(configMap('k: a-${A}'), { A: 'x\ny\n' });

    expect(object?.data).toEqual({ k: 'a-xy' });
  });

  it('replaces in texts of several lines and keeps the lines', () => {
    const [object] = substitute(configMap('k: |\n    a=${A}\n      b=$B\n'), { A: 'x' });

    expect(object?.data).toEqual({ k: 'a=x\n  b=$B\n' });
  });

  it('lets a value bring structure, as text that is read again', () => {
    const [object] = substitute(configMap('k: ${A}'), { A: '{"x": [1]}' });

    expect(object?.data).toEqual({ k: { x: [1] } });
  });

  it('leaves objects without a dollar, and what they are, alone', () => {
    const manifests = drafts(configMap('k: "1"'));

    expect(substituteManifests(manifests, named({ A: 'x' }))[0]).toBe(manifests[0]);
  });

  it('keeps where an object comes from', () => {
    const manifests = drafts(`${configMap('k: v')}---\n${configMap('k: ${A}')}`);

    const origins = substituteManifests(manifests, named({ A: 'x' })).map(({ origin }) => origin);

    expect(origins).toEqual(manifests.map(({ origin }) => origin));
  });

  it.each([
    'labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}',
    'annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}',
    'labels: {holdfast.dev/substitute: disabled}',
    'annotations: {holdfast.dev/substitute: disabled}',
  ])('leaves an object alone that says %s', (optOut) => {
    const [object] = substitute(configMap('k: ${A}$$', `{name: a, ${optOut}}`), { A: 'x' });

    expect(object?.data).toEqual({ k: '${A}$$' });
  });

  it('takes only the exact word for it', () => {
    const metadata = '{name: a, labels: {kustomize.toolkit.fluxcd.io/substitute: Disabled}}';

    expect(substitute(configMap('k: ${A}', metadata), { A: 'x' })[0]?.data).toEqual({ k: 'x' });
  });

  it('leaves the base64 of a Secret alone, and replaces in its stringData', () => {
    const encoded = Buffer.from('${A}').toString('base64');

    const [object] = substitute(
      `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: ${encoded}}\nstringData: {b: "\${A}"}\n`,
      { A: 'x' },
    );

    expect(object).toMatchObject({ data: { a: encoded }, stringData: { b: 'x' } });
  });

  it('does nothing without any variable, unless always', () => {
    const text = configMap('k: ${A:-d}$$');

    expect(substitute(text, {})[0]?.data).toEqual({ k: '${A:-d}$$' });
    expect(substitute(text, {}, { strategy: 'Always' })[0]?.data).toEqual({ k: 'd$' });
  });

  it('does not expand a value that looks like a variable', () => {
    expect(substitute(configMap('k: ${A}'), { A: '${B}', B: 'x' })[0]?.data).toEqual({ k: '${B}' });
  });
});

describe('refused substitutions', () => {
  it('rejects undefined variables with all names, objects and places at once', () => {
    const text = `${configMap('k: ${FOO}${BAR}${FOO}')}---\n${configMap('k: ${GIVEN}')}---\n${configMap('k: ${BAZ^^}', '{name: b, namespace: shop}')}`;

    const message = refusal(text);

    expect(message).toContain('a.yaml:1: ConfigMap a: variables "FOO", "BAR" are not defined');
    expect(message).toContain('a.yaml:13: ConfigMap shop/b: variable "BAZ" is not defined');
    expect(message).toContain('${FOO:-default}');
    expect(message).toContain('2 faulty documents');
  });

  it('rejects what is no variable with the place and what to write', () => {
    const message = refusal(configMap('nginx: proxy_pass ${request.uri};'));

    expect(message).toContain('a.yaml:1: ConfigMap a: missing closing brace at "${request.uri};"');
    expect(message).toContain('write $${ for a plain ${');
  });

  it.each([
    ['an undefined variable', 'pw: "s3cr${etpass}word"', 'stringData.pw'],
    ['something malformed', 'pw: "s3cr${et.pass"', 'stringData.pw'],
  ])('rejects %s in a Secret without quoting the Secret', (_what, entry, place) => {
    const message = refusal(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {${entry}}\n`);

    expect(message).toContain(`Secret s:`);
    expect(message).toContain(place);
    expect(message).not.toMatch(/s3cr|etpass|et\.pass/);
  });

  it('rejects a value that breaks the YAML, without quoting it', () => {
    const message = refusal(configMap('k: "${A}: x"'), { A: "canary' y" });

    expect(message).toContain('a.yaml:1: ConfigMap a: with its variables it is faulty: not valid YAML');
    expect(message).not.toContain('canary');
  });

  it.each([
    ['a name', '{name: "${A}"}', '../../x', 'cannot be a name'],
    ['a namespace', '{name: a, namespace: "${A}"}', 'a/b', 'metadata.namespace'],
    ['a name that became a number', '{name: "${A}"}', '7', 'expected text'],
    ['a name that became nothing', '{name: "${A}"}', '', 'metadata.name missing'],
  ])('rejects %s that would change a request', (_what, metadata, value, expected) => {
    expect(refusal(configMap('k: v', metadata), { A: value })).toContain(expected);
  });

  it('rejects drafts that turn out to have no variables', () => {
    expect(refusal(configMap('k: v', '{name: "a/b"}'))).toContain('cannot be a name');
  });

  it('rejects a variable name that is none', () => {
    expect(() => named({ 'a-b': 'x' })).toThrow('"a-b" is no name');
  });

  it('rejects an object that grows too large, and objects that do so together', () => {
    const limits = { ...DEFAULT_RENDER_LIMITS, maxFileBytes: 1_000, maxOutputBytes: 1_500 };
    const one = drafts(configMap(`k: ${'${A}'.repeat(20)}`));

    expect(() => substituteManifests(one, named({ A: 'x'.repeat(100) }), undefined, limits)).toThrow(
      'ConfigMap a: it would grow beyond 1000 characters',
    );
    expect(() =>
      substituteManifests([...one, ...one], named({ A: 'x'.repeat(45) }), undefined, limits),
    ).toThrow('grow beyond 1500 characters');
  });
});
