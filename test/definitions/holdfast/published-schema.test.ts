import { readFile, writeFile } from 'node:fs/promises';

import { applicationJsonSchema } from '../../../lib/definitions/holdfast/application-schema.ts';

const PUBLISHED = new URL('../../../schemas/application.schema.json', import.meta.url);

describe('schemas/application.schema.json', () => {
  it('is what the program itself checks definitions against (rewrite it with HOLDFAST_WRITE_SCHEMAS=1)', async () => {
    const current = `${JSON.stringify(applicationJsonSchema(), null, 2)}\n`;
    if (process.env.HOLDFAST_WRITE_SCHEMAS === '1') await writeFile(PUBLISHED, current);

    const published = await readFile(PUBLISHED, 'utf8');

    expect(JSON.parse(published)).toEqual(JSON.parse(current));
  });
});
