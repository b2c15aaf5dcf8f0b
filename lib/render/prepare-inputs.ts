import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Json } from '../model/resource.ts';
import { walkInputs } from '../source/closure.ts';
import type { Tool, WalkedInputs } from '../source/closure.ts';
import type { CopiedDirectory, InputRole } from '../source/closure-walk.ts';
import { fileTreeReader } from '../source/file-tree.ts';
import type { RenderLimits } from './limits.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { ParseOptions } from './parse-manifests.ts';
import { isWorthHiding, parseInput, parseInputText, secretTexts, valuesSecrets } from './preflight.ts';
import type { PreflightContext } from './preflight.ts';
import { aliasBudget } from './read-events.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';
import { hasVariables } from './substitute/substitute-manifests.ts';
import type { TreeIndex } from './tree-index.ts';

/** What a tool is started on: checked, and nothing else. */
export interface PreparedInputs {
  readonly tool: Tool;
  /** Path in the private directory → content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path in the private directory → path in the repository, where there is one: copies are elsewhere. */
  readonly origins: ReadonlyMap<string, string>;
  /** Plain texts of secrets seen on the way: to be kept out of what a failing tool says. */
  readonly secrets: readonly string[];
  readonly walked: WalkedInputs;
}

/**
 * Walks an artefact as the source stage walked the commit, checks every file for what the tool takes it for (parsed with
 * our limits before the tool can choke on it), and says what the tool may see. Without any of an application's path in
 * the tree there is nothing to render, and no file.
 *
 * @throws HoldfastError `render-refused` naming file and entry, `render-failed` with every file that has to be manifests
 * and is not, `render-limit`
 */
export async function prepareInputs(
  context: { readonly limits: RenderLimits },
  tree: TreeIndex,
  application: Application,
): Promise<PreparedInputs> {
  const { limits } = context;
  const walked = await walkInputs({
    reader: fileTreeReader(tree),
    application,
    limits: { maxFiles: limits.maxFiles },
    isArtefact: true,
  });
  if (walked === undefined) return NOTHING;
  const paths = walked.entries.flatMap(({ type, path }) => (type === 'blob' ? [path] : []));
  // The plain renderer parses everything itself, and tells of all that is wrong at once.
  const secrets =
    walked.tool === 'plain'
      ? []
      : checkInputs({ tree, limits, aliases: aliasBudget(limits) }, walked, {
          ...limits,
          drafts: hasVariables(application),
        });
  const seen = new Map(paths.map((path) => [path, { path, content: tree.read(path) }] as const));
  for (const { path, content } of walked.replacements) {
    seen.set(path, { path, content: typeof content === 'string' ? Buffer.from(content) : content });
  }
  for (const copy of walked.copies) copyDirectory(seen, copy, limits);
  assertWithinLimits(seen, limits);
  return {
    tool: walked.tool,
    files: new Map([...seen].map(([to, { content }]) => [to, content])),
    origins: new Map([...seen].map(([to, { path }]) => [to, path])),
    secrets,
    walked,
  };
}

const NOTHING: PreparedInputs = {
  tool: 'plain',
  files: new Map(),
  origins: new Map(),
  secrets: [],
  walked: {
    tool: 'plain',
    entries: [],
    roles: new Map(),
    inline: [],
    replacements: [],
    copies: [],
    readBlob: async (oid) => {
      throw new HoldfastError('render-failed', `${oid}: no such file`);
    },
  },
};

interface SeenFile {
  readonly path: string;
  readonly content: Uint8Array;
}

function copyDirectory(seen: Map<string, SeenFile>, copy: CopiedDirectory, limits: RenderLimits): void {
  const from = copy.from === '.' ? '' : `${copy.from}/`;
  // A copy below the original does not copy itself.
  const originals = [...seen].filter(([path]) => path.startsWith(from) && !path.startsWith(`${copy.to}/`));
  for (const [path, file] of originals) {
    if (copy.leftOut?.(path.slice(from.length)) === true) continue;
    const to = `${copy.to}/${path.slice(from.length)}`;
    if (!seen.has(to)) seen.set(to, file);
  }
  if (seen.size > limits.maxFiles) {
    throw new HoldfastError('render-limit', `${copy.to}: more than ${limits.maxFiles} files to render`);
  }
}

/** Files that lie in several places count as often as they are written. */
function assertWithinLimits(seen: ReadonlyMap<string, SeenFile>, limits: RenderLimits): void {
  let total = 0;
  for (const [path, { content }] of seen) {
    total += content.byteLength;
    if (total > limits.maxTotalBytes) {
      throw new HoldfastError(
        'render-limit',
        `${path}: the files to render have more than ${limits.maxTotalBytes} bytes together`,
      );
    }
  }
}

/** @returns texts that nobody may see */
function checkInputs(
  context: PreflightContext,
  walked: WalkedInputs,
  options: ParseOptions,
): readonly string[] {
  const secrets = new Set<string>();
  const faults: RenderFault[] = [];
  const hide = (texts: Iterable<string>): void => {
    for (const text of texts) secrets.add(text);
  };
  for (const [path, roles] of walked.roles) {
    for (const role of roles) hide(checkFile(context, path, role));
    if (roles.has('manifest')) faults.push(...manifestFaults(context, path, options));
  }
  for (const { file, where, text, secret } of walked.inline) {
    if (secret === true) hide(isWorthHiding(text) ? [text] : []);
    else hide(parseInputText(context, text, `${file} (${where})`).flatMap(secretTexts));
  }
  if (faults.length > 0) throw renderFaultsError(faults);
  return [...secrets];
}

function checkFile(context: PreflightContext, path: string, role: InputRole): readonly string[] {
  switch (role) {
    case 'yaml':
    case 'manifest':
      return parseInput(context, path).flatMap(secretTexts);
    case 'values':
      return parseInput(context, path).flatMap((document: Json) => valuesSecrets(document));
    case 'secret':
      return linesOf(context.tree.read(path));
    case 'raw':
      return [];
  }
}

function manifestFaults(
  context: PreflightContext,
  file: string,
  options: ParseOptions,
): readonly RenderFault[] {
  const text = decodeText(context.tree.read(file)) ?? '';
  return parseManifests(text, ({ line }) => ({ file, line }), options).faults;
}

/** Of an env file also what stands behind the `=`. */
function linesOf(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes)
    .toString()
    .split('\n')
    .flatMap((line) => [line.trim(), line.slice(line.indexOf('=') + 1).trim()])
    .filter(isWorthHiding);
}
