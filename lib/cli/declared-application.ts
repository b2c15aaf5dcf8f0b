import { existsSync } from 'node:fs';
import { readDefinitions } from '../definitions/read-definitions.ts';
import type { Application } from '../model/application.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RootId } from '../model/ids.ts';
import { describeOrigin } from '../model/resource.ts';
import { DEFAULT_RENDER_LIMITS } from '../render/limits.ts';
import { parseManifests } from '../render/parse-manifests.ts';
import { readText } from './secret-input.ts';

export interface DeclaredApplication {
  readonly application: Application;
  readonly file: string;
}

const MAX_BYTES = 5 * 1024 * 1024;
const OPTION = '--application';

/**
 * `FILE`, or `FILE#[NAMESPACE/]NAME` where the file declares several.
 * @throws HoldfastError `invalid-input` with everything that is wrong with what is asked for
 */
export async function readDeclaredApplication(given: string): Promise<DeclaredApplication> {
  const hash = existsSync(given) ? -1 : given.lastIndexOf('#');
  const file = hash < 0 ? given : given.slice(0, hash);
  const wanted = hash < 0 ? undefined : given.slice(hash + 1);
  const text = await readText(OPTION, file, MAX_BYTES);
  const { manifests, faults } = parseManifests(text, ({ line }) => ({ file, line }), DEFAULT_RENDER_LIMITS);
  if (faults.length > 0) {
    throw invalid(faults.map(({ origin, message }) => `${describeOrigin(origin)}: ${message}`).join('; '));
  }
  const { applications, errors } = readDefinitions(manifests, {
    installation: 'local',
    root: 'local' as RootId,
  });
  const chosen = applications.filter(
    ({ namespace, name }) => wanted === undefined || wanted === name || wanted === `${namespace}/${name}`,
  );
  const [application] = chosen;
  if (application !== undefined && chosen.length === 1) {
    // What is asked for by name may stand beside what is broken.
    if (wanted !== undefined || errors.length === 0) return { application, file };
  }
  if (errors.length > 0) throw invalid(errors.map(({ message }) => message).join('; '));
  const names = applications.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
  if (applications.length === 0) throw invalid(`${file} declares no application`);
  if (wanted === undefined || chosen.length > 1) {
    throw invalid(`${file} declares several applications: name one of them as ${file}#NAME (${names})`);
  }
  throw invalid(`${file} declares no application "${wanted}", only ${names}`);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('invalid-input', `${OPTION}: ${message}`);
}
