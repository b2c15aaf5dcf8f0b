import type { KubeApi } from '../cluster/kube-api.ts';
import { forEachPooled } from '../cluster/pooled.ts';
import { classify } from '../drift/classify.ts';
import { HoldfastError } from '../model/errors.ts';
import { type Digest, fieldManagerOf } from '../model/ids.ts';
import type { InventoryEntry, Projection } from '../model/inventory.ts';
import type { Action } from '../model/plan.ts';
import { type LiveObject, resourceKey } from '../model/resource.ts';
import type { TargetState } from '../model/target-state.ts';
import type { BuiltPlan } from '../plan/build-plan.ts';
import type { ShownChange } from '../plan/describe-plan.ts';
import type { TargetStageDeps } from '../reconcile/deps.ts';
import type { HashKey } from '../plan/keyed-hash.ts';
import { loadInventory, loadProjections } from '../reconcile/inventory-document.ts';
import { planTarget } from '../reconcile/plan-target.ts';
import { renderWanted } from '../reconcile/render-wanted.ts';

export type PlanDeps = Pick<
  TargetStageDeps,
  'state' | 'artefacts' | 'renderer' | 'connector' | 'hashKey' | 'clock' | 'secrets' | 'decryptDataKey'
>;

export interface ApplicationPlan {
  readonly plan: BuiltPlan;
  /** Changed objects as they live, by resourceKey: for showing fields. */
  readonly changes: ReadonlyMap<string, ShownChange>;
}

const DEADLINE_MS = 120_000;
const CONCURRENCY = 8;

/**
 * What a run of this target would do now: the artefact of the wanted revision, rendered, judged and planned, with the
 * read credential. Changes nothing.
 * @throws HoldfastError when the commit cannot be rendered, the artefact is gone, or the cluster does not answer
 */
export async function planApplication(deps: PlanDeps, state: TargetState): Promise<ApplicationPlan> {
  const { wanted } = state;
  if (wanted.kind === 'invalid') {
    throw new HoldfastError('render-failed', `${state.title}: ${wanted.error.message}`);
  }
  const inventory = await loadInventory(deps.state, state);
  if (inventory === undefined) {
    throw new HoldfastError('superseded', `${state.title}: a run has just changed it; plan again`, {
      retryable: true,
    });
  }
  const connect = () => deps.connector.connect(state.cluster, 'read');
  const deadline = deps.clock.monotonic() + DEADLINE_MS;
  const rendered = await renderWanted(deps, { state, connect, deadline });
  if (rendered === 'artefact-missing') {
    throw new HoldfastError(
      'artefact-missing',
      `${state.title}: its artefact is not stored any more; "holdfast reconcile ${state.title}" has it rebuilt`,
    );
  }
  const kube = await connect();
  const key = await deps.hashKey();
  const { plan } = await planTarget(
    { kube, key },
    {
      state,
      takeover: state.pending !== undefined,
      manifests: rendered.manifests,
      inventory: inventory.entries,
      deadline,
    },
  );
  const changes = await fetchChanged(kube, plan, deadline);
  const projections = await loadProjections(deps.state, state.target, inventory);
  const actions = plan.actions.map((action) => {
    const live = changes.get(resourceKey(action.id))?.before;
    return isAsApplied(action, live, projections, fieldManagerOf(state.target), key)
      ? { kind: 'unchanged' as const, id: action.id, entry: action.previous }
      : action;
  });
  const warnings = [...rendered.warnings, ...plan.warnings];
  return { plan: { ...plan, actions, warnings }, changes };
}

type Applying = Extract<Action, { kind: 'apply' }>;

/**
 * A suspect whose fields are as they were applied: a controller has written beside them (a Deployment's revision, say).
 * A run would send it once more, and nothing would come of it.
 */
function isAsApplied(
  action: Action,
  live: LiveObject | undefined,
  projections: ReadonlyMap<Digest, Projection>,
  fieldManager: string,
  key: HashKey,
): action is Applying & { readonly previous: InventoryEntry } {
  if (action.kind !== 'apply' || action.reason !== 'drifted' || live === undefined) return false;
  const { previous } = action;
  const projection = previous?.projection && projections.get(previous.projection);
  if (previous === undefined || projection === undefined) return false;
  return classify(previous, projection, live, fieldManager, key) === undefined;
}

/** Those that may not be read (Secrets, to a narrow credential) are shown without their fields. */
async function fetchChanged(
  kube: KubeApi,
  plan: BuiltPlan,
  deadline: number,
): Promise<ReadonlyMap<string, ShownChange>> {
  const discovery = await kube.discovery({ deadline });
  const changes = new Map<string, ShownChange>();
  const changed = plan.actions.filter((action) => action.kind === 'apply' && action.live !== undefined);
  await forEachPooled(changed, CONCURRENCY, async (action) => {
    if (action.kind !== 'apply') return;
    const { apiVersion, kind } = action.object;
    const type = discovery.find(apiVersion, kind);
    if (type === undefined) return;
    const { name, namespace } = action.id;
    try {
      const before = await kube.get(
        { type, name, ...(namespace === undefined ? {} : { namespace }) },
        { deadline },
      );
      if (before !== undefined) changes.set(resourceKey(action.id), { before });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
    }
  });
  return changes;
}
