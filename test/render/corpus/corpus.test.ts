import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

import { readOpenApi } from '../../../lib/cluster/openapi.ts';
import type { KubeObject, Manifest } from '../../../lib/model/resource.ts';
import { describeOrigin } from '../../../lib/model/resource.ts';
import { normaliseManifests } from '../../../lib/render/normalise.ts';
import type { Rejection } from '../../../lib/render/normalise.ts';
import { builtInScopeOf } from '../../../lib/render/scopes.ts';
import { validateManifests } from '../../../lib/render/validate-openapi.ts';
import { renderThroughArtefact } from '../equality.ts';
import { whySkipped, withTools } from '../tools-for-tests.ts';
import { caseNames, readCase } from './read-case.ts';
import type { Case } from './read-case.ts';

/** `1` writes what comes out into cases that have nothing yet; it is for somebody to read and check before it counts. */
const writes = process.env.HOLDFAST_WRITE_CORPUS === '1';

interface Outcome {
  readonly manifests: readonly Manifest[];
  readonly rejections: readonly Rejection[];
  readonly warnings: readonly string[];
}

async function outcomeOf(each: Case): Promise<Outcome> {
  const { repository, application, elsewhere, input, normalise, openApi } = each;
  const { manifests, warnings } = await renderThroughArtefact(repository, application, {
    ...input,
    elsewhere,
  });
  if (!normalise) return { manifests, warnings, rejections: [] };
  const { targetNamespace } = application;
  const settled = normaliseManifests(manifests, {
    scopeOf: builtInScopeOf,
    ...(targetNamespace === undefined ? {} : { targetNamespace }),
  });
  if (openApi !== undefined) validateManifests(settled.manifests, readOpenApi(openApi));
  return { ...settled, warnings };
}

/** What is written down of an outcome. */
function recorded({ manifests, rejections, warnings }: Outcome): unknown {
  const rejected = rejections.map(({ manifest, why }) => ({ ...recordedManifest(manifest), why }));
  return {
    manifests: manifests.map(recordedManifest),
    ...(rejected.length === 0 ? {} : { rejections: rejected }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

function recordedManifest({ object, origin, hook, volatile }: Manifest): object {
  return {
    origin: describeOrigin(origin),
    ...(hook === undefined ? {} : { hook }),
    ...(volatile === undefined ? {} : { volatile }),
    object: (volatile ?? []).reduce(withoutVolatile, object),
  };
}

function withoutVolatile(object: KubeObject, pointer: string): KubeObject {
  const copy = structuredClone(object) as unknown as Record<string, unknown>;
  const keys = pointer.slice(1).split('/');
  const last = keys.pop() ?? '';
  const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, copy);
  parent[last] = '(another one each time)';
  return copy as unknown as KubeObject;
}

const errorIn = (directory: string) => join(directory, 'error.txt');
const expectedIn = (directory: string) => join(directory, 'expected.yaml');
/** The reader's line at the top, and the rest. */
const topOf = (text: string) => /^(?:#.*\n)*/.exec(text)?.[0] ?? '';

const isError = (name: string) => existsSync(errorIn(readCase(name).directory));

withTools(`the corpus${whySkipped}`, () => {
  it('has cases enough, each with a line for who reads it', () => {
    const without = caseNames.filter((name) => {
      const { directory } = readCase(name);
      const file = isError(name) ? errorIn(directory) : expectedIn(directory);
      return !existsSync(file) || topOf(readFileSync(file, 'utf8')) === '';
    });

    expect(caseNames.length).toBeGreaterThanOrEqual(60);
    expect(without).toEqual([]);
  });

  it.each(caseNames.filter((name) => !isError(name)))('%s', async (name) => {
    const each = readCase(name);
    const file = expectedIn(each.directory);
    const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const top = topOf(written);

    const outcome = recorded(await outcomeOf(each));

    if (writes && written === top) {
      writeFileSync(
        file,
        top + stringify(outcome, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }),
      );
    }
    const expected = parse(readFileSync(file, 'utf8'), { version: '1.1' }) as unknown;
    expect(outcome).toEqual(expected);
  });

  it.each(caseNames.filter(isError))('refuses %s', async (name) => {
    const each = readCase(name);
    const lines = readFileSync(errorIn(each.directory), 'utf8').split('\n');
    const [code, ...words] = lines.filter((line) => line !== '' && !line.startsWith('#'));

    const error = await outcomeOf(each).then(
      () => ({ code: 'none', message: 'it was rendered' }),
      (thrown: Error & { readonly code: string }) => thrown,
    );

    expect(error).toMatchObject({ code });
    for (const word of words) expect(error.message).toContain(word);
    expect(words).not.toEqual([]);
  });
});
