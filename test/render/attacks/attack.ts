import { readdirSync, readFileSync } from 'node:fs';

import { createJsonLog } from '../../../lib/compose/json-log.ts';
import type { Application } from '../../../lib/model/application.ts';
import { errorRecord, HoldfastError, type ErrorCode } from '../../../lib/model/errors.ts';
import type { Manifest } from '../../../lib/model/resource.ts';
import { createRenderer } from '../../../lib/render/create-renderer.ts';
import type { RenderLimits } from '../../../lib/render/limits.ts';
import type { RenderInput } from '../../../lib/render/renderer.ts';
import { NO_SANDBOX } from '../../../lib/render/sandbox.ts';
import { packArtefact, unpackArtefact } from '../../../lib/source/artefact.ts';
import type { ClosureLimits, Elsewhere } from '../../../lib/source/closure-walk.ts';
import { inputClosure } from '../../../lib/source/closure.ts';
import type { CommitReader } from '../../../lib/source/git-repository.ts';
import { plantCanary, type Canary } from '../../support/canary.ts';
import { memoryCommit, type MemoryFile } from '../../support/memory-commit.ts';
import { anApplication, configMap, inTemporaryDirectory } from '../rendering.ts';
import { tools } from '../tools-for-tests.ts';

export type Files = Readonly<Record<string, MemoryFile>>;

/** A repository and a definition that somebody hostile wrote. */
export interface Attack {
  readonly files: Files;
  readonly facts?: Partial<Application>;
  readonly limits?: Partial<RenderLimits>;
  readonly closureLimits?: ClosureLimits;
  readonly elsewhere?: Elsewhere;
  readonly input?: Pick<RenderInput, 'keys' | 'values' | 'kubeVersion' | 'apiVersions'>;
  /** In place of `files`. */
  readonly reader?: CommitReader;
}

/** Where it ends: a code and the words of the error, or what was rendered. */
export interface Outcome {
  readonly code: ErrorCode | 'rendered';
  readonly message: string;
  readonly manifests: readonly Manifest[];
}

/** What a row expects. */
export interface End {
  readonly code: ErrorCode | 'rendered' | RegExp;
  /** In the error's message. */
  readonly says?: string | RegExp;
}

export const refused = (says?: string | RegExp): End => ({
  code: 'render-refused',
  ...(says === undefined ? {} : { says }),
});
export const failed = (says?: string | RegExp): End => ({
  code: 'render-failed',
  ...(says === undefined ? {} : { says }),
});
export const limited = (says?: string | RegExp): End => ({
  code: 'render-limit',
  ...(says === undefined ? {} : { says }),
});

/** The neighbour's file in every repository: no application of these tests names it, or may show it. */
export const NEIGHBOUR = 'neighbour/canary.yaml';

let canary: Canary;

/** A canary for the tests of a file. */
export function withCanary(): () => Canary {
  beforeAll(async () => {
    canary = await plantCanary();
  });
  afterAll(() => canary.release());
  return () => canary;
}

/**
 * The whole way from a commit to manifests, with the real tools. Whatever the end is: no canary is in anything that is
 * said or given, nobody asked the server, no process and no file is left, and an error is one of ours.
 */
export async function attack(given: Attack): Promise<Outcome> {
  canary.heard();
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    const said: Said = { open: [], inSecrets: [] };
    try {
      return await carryOut(given, temporaryDirectory, said);
    } finally {
      expect(canary.sightings(said.open.join('\n'))).toEqual([]);
      const known = [canary.elsewhere];
      expect(canary.sightings(said.inSecrets.join('\n')).filter((each) => !known.includes(each))).toEqual([]);
      expect(canary.heard()).toEqual([]);
      expect(readdirSync(temporaryDirectory)).toEqual([]);
      expect(processesAt(temporaryDirectory)).toEqual([]);
    }
  });
}

export async function expectEnd(given: Attack, end: End): Promise<Outcome> {
  const outcome = await attack(given);

  // With the message beside it: a failure says what was said.
  const code: unknown = end.code instanceof RegExp ? expect.stringMatching(end.code) : end.code;
  expect(outcome).toMatchObject({ code });
  if (typeof end.says === 'string') expect(outcome.message).toContain(end.says);
  else if (end.says !== undefined) expect(outcome.message).toMatch(end.says);
  return outcome;
}

interface Said {
  readonly open: string[];
  /** What Secrets hold in their data, where a secret may be that was given to the render. */
  readonly inSecrets: string[];
}

async function carryOut(given: Attack, temporaryDirectory: string, said: Said): Promise<Outcome> {
  const application = anApplication(given.facts ?? {});
  const reader =
    given.reader ?? memoryCommit({ ...given.files, [NEIGHBOUR]: configMap('n', `{s: ${canary.elsewhere}}`) });
  // Without one: most machines that run this allow none, and the rest has to hold by itself.
  const sandbox = NO_SANDBOX;
  const renderer = createRenderer({ tools, temporaryDirectory, sandbox, limits: given.limits ?? {} });
  try {
    const closure = await inputClosure({
      reader,
      application,
      salt: [],
      limits: given.closureLimits ?? {},
      ...(given.elsewhere === undefined ? {} : { elsewhere: given.elsewhere }),
    });
    const { digest, bytes } = await packArtefact(closure);
    const files = unpackArtefact(digest, bytes);
    const { manifests, warnings } = await renderer.render({ files, application, ...given.input });
    said.open.push(...warnings);
    for (const { object, origin } of manifests) {
      const { data, stringData, ...open } = object;
      const isSecret = object.kind === 'Secret';
      said.open.push(JSON.stringify([isSecret ? open : object, origin]));
      if (isSecret) said.inSecrets.push(JSON.stringify([data, stringData]));
    }
    return { code: 'rendered', message: '', manifests };
  } catch (error) {
    said.open.push(...wordsOf(error), JSON.stringify(errorRecord(error)));
    createJsonLog((line) => said.open.push(line)).error('render failed', { error });
    if (!(error instanceof HoldfastError)) throw error;
    return { code: error.code, message: error.message, manifests: [] };
  }
}

/** All that anybody could show of an error. */
function wordsOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const own = JSON.stringify(error, Object.getOwnPropertyNames(error));
  return [String(error), error.stack ?? '', own, ...(error.cause === undefined ? [] : wordsOf(error.cause))];
}

/** The command lines of processes that were started on a directory. A killed one has none while it waits to be reaped. */
export function processesAt(directory: string): readonly string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It ended meanwhile.
        return '';
      }
    })
    .filter((line) => line.includes(directory));
}

export const CHART = 'apiVersion: v2\nname: shop\nversion: 1.0.0\n';

/** A chart at app/ with one template. */
export function aChart(files: Files = {}, template = configMap('cm')): Files {
  return { 'app/Chart.yaml': CHART, 'app/templates/cm.yaml': template, ...files };
}

/** A ConfigMap with one expression in it. */
export function templateOf(expression: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata:\n  x: ${expression}\n`;
}

/** What its expression came to. */
export function textOf(manifests: readonly Manifest[]): string {
  const data = manifests[0]?.object['data'] as { readonly x?: string } | undefined;
  return data?.x ?? 'nothing was rendered';
}
