import { inputClosure } from '../../lib/source/closure.ts';
import { packArtefact, unpackArtefact } from '../../lib/source/artefact.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { memoryCommit } from '../support/memory-commit.ts';
import { anApplication, configMap, inTemporaryDirectory } from './rendering.ts';
import { tools } from './tools-for-tests.ts';

const DOCUMENTS = 10_000;

describe('10,000 documents', () => {
  const files = Object.fromEntries(
    Array.from({ length: DOCUMENTS }, (_, index) => [`app/d-${index}.yaml`, configMap(`d-${index}`)]),
  );

  it('are rendered at the default limits, a file each', async () => {
    const application = anApplication();
    const closure = await inputClosure({
      reader: memoryCommit({ ...files, 'app/README.md': '' }),
      application,
      salt: [],
    });
    const { digest, bytes } = await packArtefact(closure);

    const rendered = await inTemporaryDirectory((temporaryDirectory) =>
      createRenderer({ tools, temporaryDirectory }).render({
        files: unpackArtefact(digest, bytes),
        application,
      }),
    );

    expect(rendered.manifests).toHaveLength(DOCUMENTS);
  }, 60_000);

  it('may all be named by one kustomization, whose directory is read once', async () => {
    const names = Object.keys(files).map((path) => `- ${path.slice('app/'.length)}\n`);
    const reader = memoryCommit({ ...files, 'app/kustomization.yaml': `resources:\n${names.join('')}` });

    const closure = await inputClosure({ reader, application: anApplication(), salt: [] });

    expect(closure.entries.filter(({ type }) => type === 'blob')).toHaveLength(DOCUMENTS + 1);
    // The root, the directory and the kustomization; nothing for each entry.
    expect(reader.reads.length).toBeLessThan(10);
  }, 60_000);
});
