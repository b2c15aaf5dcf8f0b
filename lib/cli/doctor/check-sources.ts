import type { Source } from '../../model/source.ts';
import type { GitHost } from '../../source/git-repository.ts';
import type { StateStore } from '../../state/state-store.ts';
import { type Finding, ok, problem, reasonOf, warning } from './finding.ts';

/** Whether each repository answers with its credential, and has the refs that are followed. */
export async function checkSources(
  deps: {
    readonly git: Pick<GitHost, 'listRefs'>;
    readonly state: Pick<StateStore, 'getSourceState' | 'rootsOfSource'>;
  },
  sources: readonly Source[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const source of sources) findings.push(...(await checkSource(deps, source)));
  return findings;
}

async function checkSource(
  deps: Parameters<typeof checkSources>[0],
  source: Source,
): Promise<readonly Finding[]> {
  const { id, url } = source;
  const findings: Finding[] = [];
  if ((await deps.state.rootsOfSource(id)).length === 0) {
    findings.push(
      warning(
        'source',
        id,
        'no root uses it, so nothing is deployed from it',
        `holdfast bootstrap NAME --source ${id}, or holdfast source remove ${id}`,
      ),
    );
  }
  try {
    const refs = await deps.git.listRefs(source);
    findings.push(ok('source', id, `${url} answers from here`));
    const { refs: followed } = await deps.state.getSourceState(id);
    for (const ref of Object.keys(followed)) {
      if (!ref.startsWith('refs/') || refs.has(ref)) continue;
      findings.push(
        problem(
          'source',
          id,
          `${ref} is followed and does not exist`,
          'push it, or correct the ref in the definition or with holdfast bootstrap; what was applied stays',
        ),
      );
    }
  } catch (error) {
    findings.push(
      problem(
        'source',
        id,
        reasonOf(error),
        `correct it with holdfast source add ${id} --replace, or restore the repository; what was applied stays`,
      ),
    );
  }
  return findings;
}
