import { executePlan } from '../lib/apply/execute-plan.ts';
import { connectKube } from '../lib/cluster/connect-kube.ts';
import { fieldManagerOf, sha256, type TargetId } from '../lib/model/ids.ts';
import type { KubeObject } from '../lib/model/resource.ts';
import { buildPlan } from '../lib/plan/build-plan.ts';
import { parseDocument } from 'yaml';
import { CLUSTER, type BenchCluster } from './bench-cluster.ts';
import { configMapFiles } from './config-maps.ts';
import {
  alternating,
  median,
  pairedRatio,
  ratioText,
  timed,
  type Measurement,
  type Outcome,
} from './measure.ts';
import { pooledPatchLoop } from './pooled-patch-peer.ts';

const OBJECTS = 1_000;
const ROUNDS = 9;

/** From the plan to the last response, beside the least that a program can do to send the same. */
export function measurePlanExecution(cluster: BenchCluster): Measurement {
  return {
    name: 'plan-execution',
    title: `From plan to last response for ${OBJECTS} new ConfigMaps, beside a minimal pooled PATCH loop`,
    async run(): Promise<Outcome> {
      const { endpoint, caData, credential } = cluster.imported;
      if (!('token' in credential))
        throw new Error('the peer signs in with a token: use a kubeconfig that holds one');
      const peerCluster = {
        endpoint,
        token: credential.token,
        ...(caData === undefined ? {} : { ca: caData }),
      };
      const ours: number[] = [];
      const peers = { http1: [] as number[], http2: [] as number[] };
      const peer = (protocol: 'http1' | 'http2') => async (round: number) => {
        const { actions, fieldManager } = planFor(await cluster.newNamespace(), `${protocol}-${round}`);
        const requests = actions.map(({ object }) => ({
          path:
            `/api/v1/namespaces/${object.metadata.namespace}/configmaps/${object.metadata.name}` +
            `?fieldManager=${encodeURIComponent(fieldManager)}&force=false`,
          body: JSON.stringify(object),
        }));
        const result = await pooledPatchLoop(peerCluster, requests, { protocol });
        if (result.refused > 0) throw new Error(`the peer was refused ${result.refused} times`);
        peers[protocol].push(result.perSecond);
      };
      await alternating(ROUNDS, [
        async (round) => {
          const { actions, fieldManager, target } = planFor(await cluster.newNamespace(), `ours-${round}`);
          // A connection of its own, as warm as the peer's: discovery is part of judging, before the plan.
          const kube = connectKube({ ...cluster.imported, name: CLUSTER });
          await kube.discovery();
          const { wallMs, value } = await timed(() =>
            executePlan(
              {
                kube,
                target,
                fieldManager,
                lease: { stillOurs: () => true },
                deadline: performance.now() + 120_000,
              },
              actions,
            ),
          );
          await kube.close();
          const applied = value.results.filter(({ kind }) => kind === 'applied').length;
          if (applied !== OBJECTS) throw new Error(`applied ${applied} of ${OBJECTS}`);
          ours.push((OBJECTS * 1000) / wallMs);
        },
        peer('http1'),
        peer('http2'),
      ]);
      const ratio = Math.min(pairedRatio(ours, peers.http1), pairedRatio(ours, peers.http2));
      return {
        rows: [
          { what: 'holdfast, executePlan', value: perSecond(ours) },
          { what: 'pooled PATCH loop, HTTP/1.1, 16 at once', value: perSecond(peers.http1) },
          { what: 'pooled PATCH loop, HTTP/2, 16 at once', value: perSecond(peers.http2) },
        ],
        target: {
          claim: 'at least 0.8 of the faster loop',
          measured: ratioText(ratio),
          isMet: ratio >= 0.8,
        },
      };
    },
  };
}

export function planFor(namespace: string, seed: string) {
  const target = sha256(`${namespace} ${seed}`).slice(0, 32) as TargetId;
  const manifests = Object.entries(configMapFiles(namespace, OBJECTS)).map(([file, content]) => ({
    object: parseDocument(content).toJS() as KubeObject,
    origin: { file, line: 1 },
  }));
  const plan = buildPlan({
    target,
    application: 'default/bench',
    key: { id: 'bench', key: Buffer.from('bench') },
    revision: 'bench',
    mode: 'reconcile',
    manifests,
    inventory: new Map(),
    verdicts: new Map(),
    observation: new Map(),
    prune: true,
    takeover: false,
    requested: false,
  });
  const actions = plan.actions.filter((action) => action.kind === 'apply');
  return { target, fieldManager: fieldManagerOf(target), actions };
}

function perSecond(values: readonly number[]): string {
  return `median ${Math.round(median(values))}/s (${values.map((value) => Math.round(value)).join(', ')})`;
}
