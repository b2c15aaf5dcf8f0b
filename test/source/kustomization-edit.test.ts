import { editKustomization, kustomizationText } from '../../lib/source/kustomization-edit.ts';
import type { KustomizationEdits } from '../../lib/source/kustomization-edit.ts';
import type { JsonObject } from '../../lib/model/resource.ts';

const CASES: readonly (readonly [string, JsonObject, KustomizationEdits, JsonObject])[] = [
  ['nothing', { namePrefix: 'a-' }, {}, { namePrefix: 'a-' }],
  [
    'prefix, suffix and namespace over its own, and everything else as it is',
    { namePrefix: 'a-', nameSuffix: '-a', namespace: 'a', labels: [{ pairs: { x: 'y' } }] },
    { namePrefix: 'b-', nameSuffix: '-b', namespace: 'b' },
    { namePrefix: 'b-', nameSuffix: '-b', namespace: 'b', labels: [{ pairs: { x: 'y' } }] },
  ],
  ['an empty prefix, which is one too', { namePrefix: 'a-' }, { namePrefix: '' }, { namePrefix: '' }],
  [
    'an image that is not there',
    { images: [{ name: 'a', newTag: '1' }] },
    { images: [{ name: 'b', newTag: '2' }] },
    {
      images: [
        { name: 'a', newTag: '1' },
        { name: 'b', newTag: '2' },
      ],
    },
  ],
  [
    'a new name, with the tag that is there',
    { images: [{ name: 'a', newTag: '1' }] },
    { images: [{ name: 'a', newName: 'mirror/a' }] },
    { images: [{ name: 'a', newName: 'mirror/a', newTag: '1' }] },
  ],
  [
    'a new tag, with the name that is there',
    { images: [{ name: 'a', newName: 'mirror/a', newTag: '1' }] },
    { images: [{ name: 'a', newTag: '2' }] },
    { images: [{ name: 'a', newName: 'mirror/a', newTag: '2' }] },
  ],
  [
    'a digest in place of a tag',
    { images: [{ name: 'a', newTag: '1', tagSuffix: '-x' }] },
    { images: [{ name: 'a', digest: 'sha256:abc' }] },
    { images: [{ name: 'a', digest: 'sha256:abc' }] },
  ],
  [
    'a tag in place of a digest',
    { images: [{ name: 'a', digest: 'sha256:abc' }] },
    { images: [{ name: 'a', newTag: '2' }] },
    { images: [{ name: 'a', newTag: '2' }] },
  ],
  [
    'one image of those that stand there twice',
    { images: [{ name: 'a', newTag: '1' }, { name: 'b' }, { name: 'a', newName: 'c' }] },
    { images: [{ name: 'a', newTag: '2' }] },
    { images: [{ name: 'a', newName: 'c', newTag: '2' }, { name: 'b' }] },
  ],
  [
    'patches and components after its own',
    { patches: [{ path: 'p.yaml' }], components: ['../one'] },
    { patches: [{ patch: 'x: y', target: { kind: 'Pod' } }, { patch: 'z: 1' }], components: ['../two'] },
    {
      patches: [{ path: 'p.yaml' }, { patch: 'x: y', target: { kind: 'Pod' } }, { patch: 'z: 1' }],
      components: ['../one', '../two'],
    },
  ],
  [
    'replicas by name',
    {
      replicas: [
        { name: 'a', count: 1 },
        { name: 'b', count: 1 },
      ],
    },
    {
      replicas: [
        { name: 'b', count: 5 },
        { name: 'c', count: 2 },
      ],
    },
    {
      replicas: [
        { name: 'a', count: 1 },
        { name: 'b', count: 5 },
        { name: 'c', count: 2 },
      ],
    },
  ],
];

describe('on top of a kustomization', () => {
  it.each(CASES)('goes %s', (_what, kustomization, edits, expected) => {
    const before = JSON.stringify(kustomization);

    expect(editKustomization(kustomization, edits)).toEqual(expected);
    expect(JSON.stringify(kustomization)).toBe(before);
  });

  it('merges images into the field of former days', () => {
    const edited = editKustomization(
      { imageTags: [{ name: 'a', newTag: '1' }] },
      { images: [{ name: 'a', newName: 'b' }] },
    );

    expect(JSON.parse(kustomizationText(edited))).toEqual({
      images: [{ name: 'a', newName: 'b', newTag: '1' }],
    });
  });
});

describe('the text for the tool', () => {
  it('is JSON that YAML reads the same way', () => {
    const text = kustomizationText({
      commonAnnotations: { a: 'x\u2028y\u0085z\u007f\ufeff', b: '€ 😀 \n\t' },
    });

    expect(text).not.toMatch(/[\u007f-\u009f\u2028\u2029\ufeff]/);
    expect(JSON.parse(text)).toEqual({
      commonAnnotations: { a: 'x\u2028y\u0085z\u007f\ufeff', b: '€ 😀 \n\t' },
    });
  });

  it('has images where the kustomization had imageTags', () => {
    expect(JSON.parse(kustomizationText({ imageTags: [{ name: 'a' }] }))).toEqual({
      images: [{ name: 'a' }],
    });
  });
});
