import { posix } from 'node:path';

import type { Origin } from '../model/resource.ts';
import { EXTERNAL_DIRECTORY } from '../source/closure-walk.ts';
import { decodeText, isObject } from './parse-manifests.ts';
import { parseYaml } from './parse-yaml.ts';
import type { RenderLimits } from './limits.ts';

interface Context {
  readonly limits: RenderLimits;
  /** Path in the private directory → content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Path in the private directory → path in the repository. */
  readonly origins: ReadonlyMap<string, string>;
}

/** In helm's name for the deepest chart there may be: `a/charts/b/charts/c`. Anybody may write such comments, of any length. */
const MAX_CHART_PARTS = 40;
const MAX_SOURCES = 10;

/**
 * Where an object comes from, by the comment that helm puts in front of each: `# Source: shop/charts/db/templates/x.yaml`
 * names charts, not directories. The template in the repository; the chart where it is not to be found; of a published
 * chart its name and version, and the template in it.
 *
 * @param directory of the chart that is rendered, in the private directory
 */
export function chartOrigins(context: Context, directory: string): (comment: string) => Origin {
  const charts = new Map<string, string>();
  const known = new Map<string, string>();
  const name = nameOf(context, directory);
  collectCharts(context, { directory, name }, charts, known);
  const fallback = known.get(directory) ?? directory;
  const placeOf = (source: string): Origin | undefined => {
    // The longest one: a chart may be called like a directory of the one around it.
    const parts = source.split('/');
    for (let length = Math.min(parts.length - 1, MAX_CHART_PARTS); length > 0; length -= 1) {
      const chart = charts.get(parts.slice(0, length).join('/'));
      if (chart === undefined) continue;
      const rest = parts.slice(length).join('/');
      const file = context.origins.get(posix.join(chart, rest));
      if (file === undefined) return undefined;
      return { file: isExternal(file) ? `${known.get(chart) ?? fallback}/${rest}` : file };
    }
    return undefined;
  };
  return (comment) => {
    // An author may write one that names something else; those of empty documents before this one come last.
    const sources = [...comment.matchAll(/^ ?Source: (.{1,4096})$/gm)].slice(0, MAX_SOURCES);
    for (const [, source = ''] of sources) {
      const place = placeOf(source.trim());
      if (place !== undefined) return place;
    }
    return { file: fallback };
  };
}

/** @param charts helm's name for each chart, `shop/charts/db`, → its directory */
function collectCharts(
  context: Context,
  chart: { readonly directory: string; readonly name: string },
  charts: Map<string, string>,
  known: Map<string, string>,
): void {
  const { directory, name } = chart;
  if (charts.has(name)) return;
  charts.set(name, directory);
  known.set(directory, shownName(context, directory));
  const aliases = aliasesOf(context, directory);
  const below = directory === '.' ? 'charts/' : `${directory}/charts/`;
  for (const path of context.files.keys()) {
    const inner = path.startsWith(below)
      ? /^([^/]+)\/Chart\.yaml$/.exec(path.slice(below.length))?.[1]
      : undefined;
    if (inner === undefined) continue;
    const innerDirectory = posix.join(directory, 'charts', inner);
    const own = nameOf(context, innerDirectory);
    for (const called of [own, ...(aliases.get(own) ?? [])]) {
      collectCharts(context, { directory: innerDirectory, name: `${name}/charts/${called}` }, charts, known);
    }
  }
}

/** Of a published chart, which lies nowhere in the repository, name and version. */
function shownName(context: Context, directory: string): string {
  const file =
    context.origins.get(posix.join(directory, 'Chart.yaml')) ?? posix.join(directory, 'Chart.yaml');
  if (!isExternal(file)) return posix.dirname(file);
  const { name, version } = chartFields(context, posix.join(directory, 'Chart.yaml'));
  return `${String(name)}@${String(version)}`;
}

function isExternal(path: string): boolean {
  return path.startsWith(`${EXTERNAL_DIRECTORY}/`);
}

function nameOf(context: Context, directory: string): string {
  const { name } = chartFields(context, posix.join(directory, 'Chart.yaml'));
  return typeof name === 'string' ? name : '';
}

function aliasesOf(context: Context, directory: string): ReadonlyMap<string, readonly string[]> {
  const aliases = new Map<string, string[]>();
  for (const file of ['Chart.yaml', 'requirements.yaml']) {
    const { dependencies } = chartFields(context, posix.join(directory, file));
    for (const entry of Array.isArray(dependencies) ? (dependencies as readonly unknown[]) : []) {
      if (!isObject(entry) || typeof entry.name !== 'string' || typeof entry.alias !== 'string') continue;
      aliases.set(entry.name, [...(aliases.get(entry.name) ?? []), entry.alias]);
    }
  }
  return aliases;
}

function chartFields(context: Context, path: string): Readonly<Record<string, unknown>> {
  const content = context.files.get(path);
  if (content === undefined) return {};
  const [document] = parseYaml(decodeText(content) ?? '', { limits: context.limits, uniqueKeys: false });
  return document?.ok === true && isObject(document.value) ? document.value : {};
}
