import type { JsonObject, Manifest } from '../../lib/model/resource.ts';
import { createRenderer } from '../../lib/render/create-renderer.ts';
import { deriveNames } from '../../lib/render/derive-names.ts';
import type { ToolPaths } from '../../lib/render/tools.ts';
import { anApplication, aTree } from './rendering.ts';

const aJob = (metadata: JsonObject, spec: JsonObject = {}): Manifest => ({
  object: { apiVersion: 'batch/v1', kind: 'Job', metadata, spec },
  origin: { file: 'a.yaml', line: 1 },
});
const nameOf = (manifest: Manifest) => deriveNames([manifest])[0]?.object.metadata.name;

describe('an object with only a generateName', () => {
  it('gets a name of it and its content, in place of it', () => {
    const [derived] = deriveNames([aJob({ generateName: 'migrate-', labels: { a: 'b' } })]);

    expect(derived?.object.metadata).toEqual({
      name: expect.stringMatching(/^migrate-[0-9a-f]{8}$/),
      labels: { a: 'b' },
    });
    expect(derived?.origin).toEqual({ file: 'a.yaml', line: 1 });
  });

  it('keeps it as long as nothing in it changes, however it is written', () => {
    const name = nameOf(aJob({ generateName: 'a-', labels: { a: '1', b: '2' } }, { x: 1, y: 2 }));

    expect(nameOf(aJob({ labels: { b: '2', a: '1' }, generateName: 'a-' }, { y: 2, x: 1 }))).toBe(name);
    expect(nameOf(aJob({ generateName: 'a-', labels: { a: '1', b: '2' } }, { x: 1, y: 3 }))).not.toBe(name);
  });

  it('never gets one of more than 63 characters', () => {
    const name = nameOf(aJob({ generateName: `${'a'.repeat(80)}-` }));

    expect(name).toMatch(/^a{55}[0-9a-f]{8}$/);
  });

  it.each([[{ name: 'a' }], [{ name: 'a', generateName: 'b-' }]])('keeps the name of %j', (metadata) => {
    expect(nameOf(aJob(metadata))).toBe('a');
  });

  it('is named after variables are replaced', async () => {
    const noTools: ToolPaths = { version: 'none', kubectl: fail, helm: fail };
    const renderer = createRenderer({ tools: noTools, temporaryDirectory: '/nonexistent' });
    const files = aTree({
      'app/a.yaml':
        'apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: "${PREFIX}-"}\nspec: {v: "${V}"}\n',
    });
    const render = (V: string) =>
      renderer.render({
        files,
        application: anApplication({
          render: { tool: 'auto', substitute: { variables: { PREFIX: 'run', V } } },
        }),
      });

    const [one, two] = await Promise.all([render('1'), render('2')]);

    expect(one.manifests[0]?.object.metadata.name).toMatch(/^run-[0-9a-f]{8}$/);
    expect(two.manifests[0]?.object.metadata.name).not.toBe(one.manifests[0]?.object.metadata.name);
  });
});

function fail(): Promise<string> {
  return Promise.reject(new Error('a tool was asked for'));
}
