import { posix } from 'node:path';

import type { Application } from '../model/application.ts';
import { toolAskedFor } from '../source/closure.ts';
import type { FileTree } from '../source/file-tree.ts';
import { KUSTOMIZATION_FILES } from '../source/kustomization-place.ts';

/** Whether an artefact is rendered by helm: only then does a render depend on what the destination is and serves. */
export function usesHelm(application: Application, files: FileTree): boolean {
  const tool = toolAskedFor(application.render);
  if (tool !== 'auto') return tool === 'helm';
  const has = (name: string): boolean => files.read(posix.join(application.path, name)) !== undefined;
  return has('Chart.yaml') && !KUSTOMIZATION_FILES.some(has);
}
