import type { Application } from '../../lib/model/application.ts';
import {
  applicationId,
  sha256,
  targetId,
  type ClusterName,
  type CommitSha,
  type RootId,
  type SourceId,
} from '../../lib/model/ids.ts';
import type { TargetState, Wanted } from '../../lib/model/target-state.ts';
import type { TargetIdentity } from '../../lib/model/target-transitions.ts';

/** A minimal valid world, to which each test adds one fact. */
export const SOURCE = 'shop' as SourceId;
export const ROOT = 'main' as RootId;
export const CLUSTER = 'prod' as ClusterName;

export function anApplication(fields: Partial<Application> = {}): Application {
  const name = fields.name ?? 'web';
  return {
    id: applicationId({ installation: 'test', root: ROOT, dialect: 'holdfast', namespace: 'default', name }),
    root: ROOT,
    dialect: 'holdfast',
    namespace: 'default',
    name,
    source: SOURCE,
    ref: { kind: 'branch', name: 'main' },
    path: 'apps/web',
    render: { tool: 'auto' },
    destinations: [{ cluster: CLUSTER }],
    createNamespace: false,
    prune: true,
    drift: 'correct',
    suspend: false,
    ...fields,
  };
}

export function anIdentity(application: Application = anApplication()): TargetIdentity {
  return {
    target: targetId(application.id, CLUSTER),
    application: application.id,
    root: application.root,
    cluster: CLUSTER,
    title: `${application.namespace}/${application.name}`,
  };
}

export const aCommit = (n: number): CommitSha => n.toString(16).padStart(40, '0') as CommitSha;

export function wants(
  generation: number,
  fields: {
    readonly closure?: string;
    readonly definition?: number;
    readonly application?: Application;
  } = {},
): Wanted {
  const application = fields.application ?? anApplication();
  return {
    kind: 'revision',
    order: { definition: fields.definition ?? 1, source: application.source, revision: generation },
    revision: aCommit(generation),
    closure: sha256(fields.closure ?? `closure ${generation}`),
    artefact: sha256(`artefact ${fields.closure ?? generation}`),
    application,
  };
}

export function aTarget(fields: Partial<TargetState> = {}): TargetState {
  return {
    schema: 1,
    ...anIdentity(),
    wanted: wants(1),
    wantedSeq: 1,
    requested: 0,
    handled: 0,
    epoch: 0,
    attempt: 0,
    nextAttemptAt: 1000,
    ...fields,
  };
}
