import { sha256 } from '../../lib/model/ids.ts';
import type { Manifest } from '../../lib/model/resource.ts';
import { cachedRenderer } from '../../lib/render/cached-renderer.ts';
import type { Rendered, Renderer, RenderInput } from '../../lib/render/renderer.ts';
import { anApplication, aTree } from './rendering.ts';

const INPUT: RenderInput = { files: aTree({}), artefact: sha256('files'), application: anApplication() };

function aManifest(name: string, facts: Partial<Manifest> = {}): Manifest {
  return {
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } },
    origin: { file: 'a' },
    ...facts,
  };
}

/** Counts, and gives what it is told to. */
function counting(render: (input: RenderInput, count: number) => Promise<Rendered> = plain) {
  const renders = { count: 0 };
  const renderer: Renderer = {
    version: 'v1',
    render: (input) => {
      renders.count += 1;
      return render(input, renders.count);
    },
  };
  return { renders, renderer };
}

async function plain(_input: RenderInput, count: number): Promise<Rendered> {
  return { manifests: [aManifest(`a${count}`)], warnings: [] };
}

describe('a renderer that remembers', () => {
  it('does not run a render whose inputs did not change, at once or later', async () => {
    const { renders, renderer } = counting();
    const cached = cachedRenderer(renderer);

    const [first, second] = await Promise.all([cached.render(INPUT), cached.render({ ...INPUT })]);
    const third = await cached.render(INPUT);

    expect(renders.count).toBe(1);
    expect(second).toBe(first);
    expect(third).toBe(first);
    expect(cached.version).toBe('v1');
  });

  it.each<[string, Partial<RenderInput>]>([
    ['the files', { artefact: sha256('other') }],
    ['the application', { application: anApplication({ targetNamespace: 'other' }) }],
    ['the purpose', { purpose: 'definitions' }],
    ['the version of the destination', { kubeVersion: 'v1.34.0' }],
    ['what it serves', { apiVersions: ['apps/v1'] }],
    ['a value', { values: new Map([['ConfigMap/a/b', { entries: { A: 'x' }, secret: false }]]) }],
    ['a key', { keys: { ageIdentities: ['AGE-SECRET-KEY-1'] } }],
    ['KMS', { keys: { ageIdentities: [], decryptDataKey: async () => new Uint8Array() } }],
  ])('renders anew when %s changed', async (_what, change) => {
    const { renders, renderer } = counting();
    const cached = cachedRenderer(renderer);

    await cached.render(INPUT);
    await cached.render({ ...INPUT, ...change });
    await cached.render({ ...INPUT, ...change });

    expect(renders.count).toBe(2);
  });

  it('renders anew each time where the files have no digest', async () => {
    const { renders, renderer } = counting();
    const cached = cachedRenderer(renderer);
    const { artefact: _artefact, ...unnamed } = INPUT;

    await cached.render(unnamed);
    await cached.render(unnamed);

    expect(renders.count).toBe(2);
  });

  it('keeps no failure, and tells it to everybody who waits', async () => {
    const { renders, renderer } = counting(async (input, count) => {
      if (count === 1) throw new Error('broken');
      return await plain(input, count);
    });
    const cached = cachedRenderer(renderer);

    const outcomes = await Promise.allSettled([cached.render(INPUT), cached.render(INPUT)]);
    const again = await cached.render(INPUT);

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(again.manifests).toHaveLength(1);
    expect(renders.count).toBe(2);
  });

  it('gives each cluster its own of what is made up anew each time', async () => {
    const { renders, renderer } = counting(async () => ({
      manifests: [aManifest('a', { volatile: ['/data/password'] })],
      warnings: [],
    }));
    const cached = cachedRenderer(renderer);

    await Promise.all([cached.render(INPUT), cached.render(INPUT)]);
    await cached.render(INPUT);

    expect(renders.count).toBe(3);
  });

  it('forgets what was not used for longest, when there is too much', async () => {
    const { renders, renderer } = counting(async () => ({
      manifests: [aManifest('x'.repeat(400))],
      warnings: [],
    }));
    const cached = cachedRenderer(renderer, 1_200);
    const of = (name: string) => ({ ...INPUT, artefact: sha256(name) });

    await cached.render(of('a'));
    await cached.render(of('b'));
    await cached.render(of('a'));
    await cached.render(of('c'));
    expect(renders.count).toBe(3);
    await cached.render(of('a'));
    expect(renders.count).toBe(3);
    await cached.render(of('b'));
    expect(renders.count).toBe(4);
  });

  it('keeps nothing that is too large by itself', async () => {
    const { renders, renderer } = counting();
    const cached = cachedRenderer(renderer, 10);

    await cached.render(INPUT);
    await cached.render(INPUT);

    expect(renders.count).toBe(2);
  });
});
