import { sha256 } from '../model/ids.ts';
import type { Digest } from '../model/ids.ts';
import type { Rendered, Renderer, RenderInput } from './renderer.ts';

/** Characters of JSON, each one or two bytes in memory; manifests as objects take a few times as much. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

interface Kept {
  readonly rendered: Promise<Rendered>;
  /** Of the manifests as JSON; 0 while they are being rendered. */
  characters: number;
}

/**
 * The same renderer; a render whose inputs are those of one before is not run. The last ones are kept in memory, bounded
 * by their size, and never on disk: they hold Secrets. So a fleet of clusters that get the same manifests costs one
 * render in a process, and targets that ask at once share it.
 *
 * Inputs are compared by all that they are, contents of values and keys included, and not by their versions. What fails
 * is not kept; what comes out differently each time (`volatile`) neither, since each cluster is to have its own.
 */
export function cachedRenderer(renderer: Renderer, maxCharacters = MAX_CHARACTERS): Renderer {
  /** Oldest use first. */
  const kept = new Map<Digest, Kept>();
  let total = 0;

  function forget(key: Digest): void {
    const found = kept.get(key);
    if (found === undefined) return;
    kept.delete(key);
    total -= found.characters;
  }

  function keep(key: Digest, entry: Kept, rendered: Rendered): void {
    if (kept.get(key) !== entry) return;
    entry.characters = JSON.stringify(rendered).length;
    total += entry.characters;
    if (isVolatile(rendered)) forget(key);
    for (const oldest of kept.keys()) {
      if (total <= maxCharacters) return;
      forget(oldest);
    }
  }

  return {
    version: renderer.version,
    async render(input) {
      const key = keyOf(renderer.version, input);
      if (key === undefined) return await renderer.render(input);
      const known = kept.get(key);
      if (known !== undefined) {
        kept.delete(key);
        kept.set(key, known);
        const rendered = await known.rendered;
        return isVolatile(rendered) ? await renderer.render(input) : rendered;
      }
      const entry: Kept = { rendered: renderer.render(input), characters: 0 };
      kept.set(key, entry);
      try {
        const rendered = await entry.rendered;
        keep(key, entry, rendered);
        return rendered;
      } catch (error) {
        if (kept.get(key) === entry) forget(key);
        throw error;
      }
    },
  };
}

function isVolatile({ manifests }: Rendered): boolean {
  return manifests.some(({ volatile }) => volatile !== undefined);
}

/** A hash, so that no secret is kept longer than its render; undefined: the files are not known by a digest. */
function keyOf(version: string, input: RenderInput): Digest | undefined {
  const { artefact, application, purpose = 'apply', kubeVersion, apiVersions, values, keys } = input;
  if (artefact === undefined) return undefined;
  const sorted = [...(values ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(
    JSON.stringify([
      version,
      artefact,
      application,
      purpose,
      kubeVersion ?? null,
      apiVersions ?? null,
      sorted,
      keys === undefined ? null : [keys.ageIdentities, keys.decryptDataKey !== undefined],
    ]),
  );
}
