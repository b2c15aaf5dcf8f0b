import { posix } from 'node:path';

import { HoldfastError } from '../model/errors.ts';
import type { Application } from '../model/application.ts';
import type { TreeIndex } from './tree-index.ts';

/** The names under which kustomize looks, in its order. */
export const KUSTOMIZATION_FILES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'] as const;

/**
 * `auto` looks at the application's path itself and no deeper: a kustomization file means kustomize, a Chart.yaml helm,
 * anything else plain.
 *
 * @throws HoldfastError `render-failed` when a tool is named that has nothing to work on, or two kustomization files lie
 * in one directory
 */
export function chooseTool(application: Application, tree: TreeIndex): 'plain' | 'kustomize' | 'helm' {
  const { path } = application;
  const kustomizations = KUSTOMIZATION_FILES.map((name) => posix.join(path, name)).filter((file) =>
    tree.isFile(file),
  );
  const chart = tree.isFile(posix.join(path, 'Chart.yaml'));
  const wanted = application.render.tool;
  if (wanted !== 'plain' && kustomizations.length > 1) {
    throw new HoldfastError(
      'render-failed',
      `${path}: ${kustomizations.join(' and ')} exclude each other: keep one of them`,
    );
  }
  if (wanted === 'kustomize' && kustomizations.length === 0) {
    throw new HoldfastError(
      'render-failed',
      `${path}: no kustomization.yaml there: add one, or correct spec.path or spec.render.tool`,
    );
  }
  if (wanted === 'helm' && !chart) {
    throw new HoldfastError(
      'render-failed',
      `${path}: no Chart.yaml there: add one, or correct spec.path or spec.render.tool`,
    );
  }
  if (wanted !== 'auto') return wanted;
  if (kustomizations.length > 0) return 'kustomize';
  return chart ? 'helm' : 'plain';
}
