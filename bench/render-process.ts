import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '../lib/model/errors.ts';
import type { Application } from '../lib/model/application.ts';
import type { ApplicationId, CommitSha, RootId, SourceId } from '../lib/model/ids.ts';
import type { Source } from '../lib/model/source.ts';
import { cachedRenderer } from '../lib/render/cached-renderer.ts';
import { createRenderer } from '../lib/render/create-renderer.ts';
import { findTools } from '../lib/render/tools.ts';
import { packArtefact, unpackArtefact } from '../lib/source/artefact.ts';
import { inputClosure } from '../lib/source/closure.ts';
import { createGitHost } from '../lib/source/git-host.ts';
import type { CommitReader } from '../lib/source/git-repository.ts';
import { localDirectoryReader } from '../lib/source/local-directory.ts';

/** What one process is to render: the two stages of a reconcile up to the manifests, and nothing else in the process. */
export interface RenderTask {
  readonly from:
    | { readonly kind: 'directory'; readonly directory: string }
    | { readonly kind: 'git'; readonly url: string; readonly commit: string };
  readonly path: string;
  readonly toolsDirectory: string;
  /** Where the warm cache of commits is; empty for a first fetch. */
  readonly cacheDirectory: string;
  /** Whether the same is rendered a second time, as the next push does that touches nothing of it. @default false */
  readonly again?: boolean;
}

export interface RenderReport {
  readonly manifests: number;
  /** The phases in their order. `again` is a second look at the source and a second render, together. */
  readonly phasesMs: Readonly<Record<string, number>>;
  readonly totalMs: number;
  /** Of this process; what its tools take is their own. */
  readonly peakBytes: number;
  readonly artefactBytes: number;
}

/** Run as a process of its own, so that its peak of memory is that of this work: the task comes as JSON in argv. */
async function main(task: RenderTask): Promise<RenderReport> {
  const temporary = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-render-'));
  const git = createGitHost({ secrets: NO_SECRETS, cacheDirectory: task.cacheDirectory });
  const tools = await findTools({ cacheDirectory: task.toolsDirectory });
  const renderer = cachedRenderer(createRenderer({ tools, temporaryDirectory: temporary }));
  const application = applicationAt(task.path);
  const phasesMs: Record<string, number> = {};
  const phase = async <T>(name: string, work: () => Promise<T> | T): Promise<T> => {
    const start = performance.now();
    const value = await work();
    phasesMs[name] = performance.now() - start;
    return value;
  };
  const salt = [renderer.version];
  try {
    const start = performance.now();
    const reader = await phase('fetch', () => openReader(task, git));
    const closure = await phase('closure', () => inputClosure({ reader, application, salt }));
    const { digest, bytes } = await phase('pack', () => packArtefact(closure));
    const files = await phase('unpack', () => unpackArtefact(digest, bytes));
    const { manifests } = await phase('render', () =>
      renderer.render({ files, application, artefact: digest }),
    );
    const totalMs = performance.now() - start;
    if (task.again === true) {
      await phase('closure again', async () => {
        const next = await inputClosure({ reader, application, salt });
        if (next.digest !== closure.digest) throw new Error('the same files gave another closure');
      });
      await phase('render again', () => renderer.render({ files, application, artefact: digest }));
    }
    return {
      manifests: manifests.length,
      phasesMs,
      totalMs,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      artefactBytes: bytes.byteLength,
    };
  } finally {
    await git.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

async function openReader(task: RenderTask, git: ReturnType<typeof createGitHost>): Promise<CommitReader> {
  if (task.from.kind === 'directory') return localDirectoryReader(task.from.directory);
  const source: Source = {
    schema: 1,
    id: 'bench' as SourceId,
    url: task.from.url,
    provider: 'generic',
    webhookSecrets: [],
    allowHttp: true,
    allowPrivateNetwork: true,
  };
  return git.open(source, task.from.commit as CommitSha);
}

function applicationAt(place: string): Application {
  return {
    id: 'bench' as ApplicationId,
    root: 'bench' as RootId,
    dialect: 'holdfast',
    namespace: 'default',
    name: 'bench',
    source: 'bench' as SourceId,
    ref: { kind: 'branch', name: 'main' },
    path: place,
    render: { tool: 'auto' },
    destinations: [],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
  };
}

const noSecret = async (): Promise<never> => {
  throw new HoldfastError('secret-missing', 'the benchmark has no secrets');
};
const NO_SECRETS = { get: noSecret, put: noSecret, delete: noSecret };

const [task = '{}'] = process.argv.slice(2);
console.log(JSON.stringify(await main(JSON.parse(task) as RenderTask)));
