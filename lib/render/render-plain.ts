import { HoldfastError } from '../model/errors.ts';
import type { Manifest } from '../model/resource.ts';
import type { WalkResult } from '../source/closure-walk.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { ParseOptions } from './parse-manifests.ts';
import { aliasBudget } from './read-events.ts';
import type { RenderLimits } from './limits.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';
import type { TreeIndex } from './tree-index.ts';

/**
 * The files that the walk took for manifests, in the order of their paths.
 *
 * @throws HoldfastError `render-failed` listing every faulty document with file and line; `render-limit` as soon as there are
 * more documents than objects are allowed
 */
export function renderPlain(
  tree: TreeIndex,
  walked: Pick<WalkResult, 'roles'>,
  options: ParseOptions & Pick<RenderLimits, 'maxManifests'>,
): readonly Manifest[] {
  const parseOptions = { ...options, aliases: aliasBudget(options) };
  const files = [...walked.roles].flatMap(([path, roles]) => (roles.has('yaml') ? [path] : []));
  const manifests: Manifest[] = [];
  const faults: RenderFault[] = [];
  for (const file of files.sort()) {
    const text = decodeText(tree.read(file));
    if (text === undefined) {
      faults.push({ origin: { file }, message: 'not UTF-8 text; save it as UTF-8' });
      continue;
    }
    const parsed = parseManifests(text, ({ line }) => ({ file, line }), parseOptions);
    for (const manifest of parsed.manifests) manifests.push(manifest);
    for (const fault of parsed.faults) faults.push(fault);
    if (manifests.length + faults.length > options.maxManifests) {
      throw new HoldfastError(
        'render-limit',
        `${file}: more than ${options.maxManifests} objects up to here: split the application`,
      );
    }
  }
  if (faults.length > 0) throw renderFaultsError(faults);
  return manifests;
}
