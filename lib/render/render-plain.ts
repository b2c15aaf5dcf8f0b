import { basename, extname } from 'node:path/posix';

import type { Manifest } from '../model/resource.ts';
import { KUSTOMIZATION_FILES } from './choose-tool.ts';
import { decodeText, parseManifests } from './parse-manifests.ts';
import type { ParseOptions } from './parse-manifests.ts';
import { renderFaultsError } from './render-faults.ts';
import type { RenderFault } from './render-faults.ts';
import type { TreeIndex } from './tree-index.ts';

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);

/**
 * Every YAML and JSON file below a path (or the one file it names), in the order of their paths.
 *
 * @throws HoldfastError `render-failed` listing every faulty document with file and line
 */
export function renderPlain(tree: TreeIndex, path: string, options: ParseOptions): readonly Manifest[] {
  const files = tree.isFile(path) ? [path] : tree.filesUnder(path).filter(isManifestFile);
  const manifests: Manifest[] = [];
  const faults: RenderFault[] = [];
  for (const file of files) {
    const text = decodeText(tree.read(file));
    if (text === undefined) {
      faults.push({ origin: { file }, message: 'not UTF-8 text; save it as UTF-8' });
      continue;
    }
    const parsed = parseManifests(text, ({ line }) => ({ file, line }), options);
    for (const manifest of parsed.manifests) manifests.push(manifest);
    for (const fault of parsed.faults) faults.push(fault);
  }
  if (faults.length > 0) throw renderFaultsError(faults);
  return manifests;
}

function isManifestFile(path: string): boolean {
  const name = basename(path);
  return (
    EXTENSIONS.has(extname(name)) && !KUSTOMIZATION_FILES.some((kustomization) => kustomization === name)
  );
}
