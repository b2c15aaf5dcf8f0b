import { HoldfastError } from '../model/errors.ts';
import type { SourceId } from '../model/ids.ts';
import type { RegisterDeps } from './deps.ts';
import { NotRegisteredError, parseName } from './names.ts';
import { usersOfSource } from './users-of-source.ts';

/**
 * Forgets a source and its secrets. One that is still used is not removed: its applications could never be told from
 * applications whose Git server is away.
 * @throws NotRegisteredError; HoldfastError `invalid-input` naming who uses it
 */
export async function removeSource(deps: RegisterDeps, name: string): Promise<void> {
  const id = parseName<SourceId>('source', name);
  const source = await deps.state.getSource(id);
  if (source === undefined) {
    throw new NotRegisteredError(`no source "${id}": "holdfast source list" shows those that are registered`);
  }
  const users = await usersOfSource(deps.state, id);
  if (users.length > 0) {
    const shown = users.slice(0, 5).join(', ') + (users.length > 5 ? `, and ${users.length - 5} more` : '');
    throw new HoldfastError(
      'invalid-input',
      `source "${id}" is used by ${shown}: remove them from Git, or point them to another source, first`,
    );
  }
  await deps.state.deleteSource(id);
  for (const secret of source.webhookSecrets) await deps.secrets.delete('webhook', secret);
  if (source.gitSecret !== undefined) await deps.secrets.delete('git', source.gitSecret);
}
