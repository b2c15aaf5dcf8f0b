import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { ChartHost, ChartRequest } from '../../lib/charts/chart-host.ts';
import type { Application, HelmOptions } from '../../lib/model/application.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { parseManifests } from '../../lib/render/parse-manifests.ts';
import { DEFAULT_RENDER_LIMITS } from '../../lib/render/limits.ts';
import type { Rendered, RenderInput } from '../../lib/render/renderer.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { inputClosure } from '../../lib/source/closure.ts';
import { fileTreeOf } from '../../lib/source/file-tree.ts';
import { memoryCommit, type MemoryFile } from '../support/memory-commit.ts';
import { anApplication, inTemporaryDirectory } from './rendering.ts';
import { tools } from './tools-for-tests.ts';

export type Files = Readonly<Record<string, MemoryFile>>;
export type ChartFiles = Readonly<Record<string, string>>;

/** A chart repository in memory, by `name@version`, that remembers what it was asked for. */
export function aChartHost(charts: Readonly<Record<string, ChartFiles>>): ChartHost & {
  readonly requests: ChartRequest[];
} {
  const requests: ChartRequest[] = [];
  return {
    requests,
    fetch: async (request) => {
      requests.push(request);
      const { name, version = '*' } = request;
      const key = Object.keys(charts).find(
        (each) => each === `${name}@${version}` || (/[*^~><]/.test(version) && each.startsWith(`${name}@`)),
      );
      const files = key === undefined ? undefined : charts[key];
      if (key === undefined || files === undefined) {
        throw new HoldfastError('chart-not-found', `chart "${name}" has no version ${version}`);
      }
      const digest = `sha256:${key}-${JSON.stringify(files).length}`;
      return { name, version: key.slice(name.length + 1), digest, files: fileTreeOf(files) };
    },
    close: async () => undefined,
  };
}

export async function anArchive(files: ChartFiles): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

export function withHelm(helm: HelmOptions, facts: Partial<Application> = {}): Partial<Application> {
  return { ...facts, render: { tool: 'auto', ...facts.render, helm } };
}

export interface Given extends Partial<Omit<RenderInput, 'files' | 'application'>> {
  readonly files: Files;
  readonly facts?: Partial<Application>;
  readonly charts?: ChartHost;
}

/** The whole way: a commit, its closure, the artefact, the manifests. */
export async function renderCommit(given: Given): Promise<Rendered> {
  const { files, facts = {}, charts, ...input } = given;
  const application = anApplication(facts);
  const closure = await inputClosure({
    reader: memoryCommit(files),
    application,
    salt: [],
    ...(charts === undefined ? {} : { elsewhere: { charts } }),
  });
  const artefact = await packArtefact(closure);
  return await inTemporaryDirectory(async (temporaryDirectory) => {
    try {
      return await createRenderer({ tools, temporaryDirectory }).render({
        files: unpackArtefact(artefact.digest, artefact.bytes),
        application,
        ...input,
      });
    } finally {
      expect(await readdir(temporaryDirectory)).toEqual([]);
    }
  });
}

/**
 * What helm itself gives for files on the disk.
 * @param build a chart whose dependencies it packs into charts/ first
 */
export async function helmTemplate(
  files: Readonly<Record<string, string | Uint8Array>>,
  argv: readonly string[],
  build?: string,
): Promise<readonly Manifest[]> {
  return await inTemporaryDirectory(async (directory) => {
    for (const [path, content] of Object.entries(files)) {
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
    }
    const helm = async (...given: readonly string[]) =>
      await promisify(execFile)(await tools.helm(), given, { cwd: directory, env: { HOME: directory } });
    if (build !== undefined) await helm('dependency', 'update', build);
    const { stdout } = await helm('template', ...argv);
    return parseManifests(stdout, () => ({ file: '' }), DEFAULT_RENDER_LIMITS).manifests;
  });
}

export function objectsOf(manifests: readonly Manifest[]): readonly unknown[] {
  return manifests
    .map(({ object }) => object)
    .toSorted((a, b) => (`${a.kind} ${a.metadata.name}` < `${b.kind} ${b.metadata.name}` ? -1 : 1));
}

export async function messageOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    () => 'nothing was wrong',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

/** The data of the ConfigMap of this name, or of the first object. */
export function dataOf(manifests: readonly Manifest[], name?: string): Readonly<Record<string, string>> {
  const found = manifests.find(({ object }) => name === undefined || object.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${name ?? 'object'}`);
  return found.object['data'] as Readonly<Record<string, string>>;
}
