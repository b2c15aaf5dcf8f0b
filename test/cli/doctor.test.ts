import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { GetQueueUrlCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { checkRights, type Deployed } from '../../lib/cli/doctor/check-rights.ts';
import { checkServices, tableFaults } from '../../lib/cli/doctor/check-services.ts';
import type { Finding } from '../../lib/cli/doctor/finding.ts';
import type { AccessQuestion } from '../../lib/cluster/access-review.ts';
import { KubeError } from '../../lib/cluster/kube-error.ts';
import { createAccessKey } from '../../lib/local/access-key.ts';
import { type Emulators, startEmulators } from '../../lib/local/emulators.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { scanClusters } from '../../lib/reconcile/scan-clusters.ts';
import { sweep } from '../../lib/reconcile/sweep.ts';
import { type FakeKube, fakeKube } from '../kube/fake-kube.ts';
import {
  configMap,
  definition,
  reconcileWorld,
  type ReconcileWorld,
  SHOP,
} from '../support/reconcile-world.ts';
import { type CliWorld, cliWorld } from './cli-world.ts';

interface Document {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

const FILES = {
  'clusters/main/web.yaml': definition('web', { path: 'apps/web', clusters: ['here'], namespace: 'default' }),
  'apps/web/a.yaml': configMap('a', { k: '1' }),
};

describe('doctor', () => {
  let isDown: boolean;
  let kube: FakeKube;
  let world: ReconcileWorld;
  let cli: CliWorld;

  beforeEach(async () => {
    isDown = false;
    kube = fakeKube(() => {
      if (isDown) throw new KubeError('kube-unreachable', 'no answer from the cluster', { retryable: true });
    });
    world = await reconcileWorld({ clusters: { here: kube } });
    cli = cliWorld(world.deps);
    for (const secret of ['hash-key/current', 'webhook/shop', 'cluster-apply/here', 'cluster-read/here']) {
      cli.secrets.set(secret, `{"token":"value of ${secret}"}`);
    }
    await world.push(FILES);
    await sweep(world.deps);
    await world.drain();
    await scanClusters(world.deps, { deadline: performance.now() + 60_000 });
  });

  const examine = () => cli.json<Document>('doctor');
  const wrong = ({ findings }: Document) => findings.filter(({ verdict }) => verdict === 'problem');

  it('finds nothing wrong with what works, and says what it could not see', async () => {
    const ended = await cli.run('doctor');
    const document = await examine();

    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(/\d+ ok, 0 problems, 0 warnings, \d skipped\.\n$/);
    expect(document.healthy).toBe(true);
    expect(document.findings).toContainEqual({
      check: 'cluster',
      subject: 'here (read)',
      verdict: 'ok',
      message: expect.stringContaining('answers, Kubernetes'),
    });
  });

  it('finds a missing secret, says who needs it and what to do, and never prints one', async () => {
    cli.secrets.delete('cluster-read/here');

    const ended = await cli.run('doctor', '--all');

    expect(ended.code).toBe(1);
    expect(ended.out).toMatch(/PROBLEM +secret +cluster-read\/here +is missing, and cluster here needs it/);
    expect(ended.out).toContain(
      '- cluster-read/here: register it again: holdfast cluster add here --replace',
    );
    expect(ended.out).not.toContain('value of');
  });

  it('finds a repository that does not answer, and a ref that is gone', async () => {
    const listRefs = world.git.listRefs.bind(world.git);
    world.git.listRefs = async () => new Map();
    const gone = wrong(await examine());
    world.git.listRefs = () =>
      Promise.reject(new HoldfastError('git-authentication', 'source shop: the credential was refused'));
    const refused = wrong(await examine());
    world.git.listRefs = listRefs;

    expect(gone).toMatchObject([
      { check: 'source', subject: SHOP, message: 'refs/heads/main is followed and does not exist' },
    ]);
    expect(refused).toMatchObject([{ message: 'source shop: the credential was refused' }]);
    expect((await examine()).healthy).toBe(true);
  });

  it('finds a cluster that is away, unless only this machine cannot reach it', async () => {
    isDown = true;
    const fromHere = await examine();
    await scanClusters(world.deps, { deadline: performance.now() + 60_000 });
    const fromEverywhere = await examine();

    // The scan has just been there: a private endpoint is no problem.
    expect(wrong(fromHere)).toEqual([]);
    expect(fromHere.findings).toContainEqual(
      expect.objectContaining({
        verdict: 'skipped',
        subject: 'here (apply)',
        message: expect.stringContaining('not reached from here'),
      }),
    );
    expect(wrong(fromEverywhere)).toMatchObject([
      { check: 'cluster', subject: 'here (apply)' },
      { check: 'cluster', subject: 'here (read)' },
      {
        check: 'scan',
        subject: 'here',
        message: expect.stringContaining('it failed: no answer from the cluster'),
      },
    ]);
  });

  it('finds schedules that stand still', async () => {
    world.clock.now += 3 * 60 * 60_000;

    expect(wrong(await examine())).toMatchObject([
      { check: 'schedule', subject: 'sweep', message: expect.stringContaining('last run 3h ago') },
      { check: 'scan', subject: 'here', message: expect.stringContaining('last scan 3h ago') },
    ]);
  });

  it('finds targets that are behind, and those that fail', async () => {
    world.git.push({
      ...FILES,
      'apps/web/a.yaml': '{"apiVersion":"nowhere/v1","kind":"Ghost","metadata":{"name":"g"}}',
    });
    await world.deps.queue.send([{ v: 1, kind: 'source', source: SHOP, reason: 'push' }]);
    await world.drain();
    world.messages.length = 0;
    world.clock.now += 15 * 60_000;

    const problems = wrong(await examine());

    expect(problems).toMatchObject([
      {
        check: 'work',
        subject: 'due targets',
        message: expect.stringMatching(/^1 target due .*default\/web on here/),
      },
      {
        check: 'target',
        subject: 'default/web on here',
        message: expect.stringMatching(/^Failed: /),
        action: 'holdfast history default/web',
      },
    ]);
  });

  it('says what else could not be looked at when the table cannot be read', async () => {
    const broken = cliWorld({
      ...world.deps,
      state: { ...world.deps.state, listSources: () => Promise.reject(new Error('secret detail')) },
    });

    const ended = await broken.run('doctor');

    expect(ended.code).toBe(1);
    expect(ended.out).toContain('mend the table first');
    expect(ended.out).not.toContain('secret detail');
  });
});

describe('the rights that doctor asks about', () => {
  const deployed: readonly Deployed[] = [
    { type: { group: '', resource: 'configmaps' }, namespaces: ['a', 'b'] },
    { type: { group: '', resource: 'namespaces' }, namespaces: [] },
  ];
  const reviewer = (isAllowed: (question: AccessQuestion) => boolean) => ({
    isAllowed: async (question: AccessQuestion) => isAllowed(question),
  });
  const reads = ({ verb }: AccessQuestion) => verb === 'get' || verb === 'list';

  it('are enough when they hold in each namespace that is used', async () => {
    const inNamespaces = reviewer(
      (question) =>
        reads(question) && (question.namespace !== undefined || question.resource === 'namespaces'),
    );

    expect(await checkRights(inNamespaces, 'prod', 'read', deployed)).toMatchObject([{ verdict: 'ok' }]);
  });

  it('are named where they lack, with the command that prints them', async () => {
    const onlyInA = reviewer((question) => reads(question) && question.namespace === 'a');

    expect(await checkRights(onlyInA, 'prod', 'read', deployed)).toEqual([
      {
        check: 'rights',
        subject: 'prod (read)',
        verdict: 'problem',
        message: 'may not get configmaps in b, get namespaces, list configmaps in b, list namespaces',
        action: expect.stringContaining('holdfast cluster rbac prod --read'),
      },
    ]);
  });

  it('are too many for who reads when it may write', async () => {
    const everything = reviewer(() => true);

    expect(await checkRights(everything, 'prod', 'apply', deployed)).toMatchObject([{ verdict: 'ok' }]);
    expect(await checkRights(everything, 'prod', 'read', deployed)).toMatchObject([
      { verdict: 'warning', message: expect.stringContaining('and should only read') },
    ]);
  });
});

describe('the services under an installation', () => {
  let directory: string;
  let emulators: Emulators;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
    emulators = await startEmulators({ directory, accessKey: createAccessKey() });
  }, 30_000);
  afterEach(async () => {
    await emulators.close();
    await rm(directory, { recursive: true, force: true });
  });

  const services = (table = emulators.tableName) => ({
    clients: emulators.clients(),
    names: {
      installation: 'test',
      table,
      sourceQueueUrl: emulators.queues.sources,
      targetQueueUrl: emulators.queues.targets,
      bucket: emulators.bucket,
      secretPrefix: 'holdfast',
    },
  });

  it('are right as they are made', async () => {
    const findings = await checkServices(services());

    expect(findings.map(({ check, subject, verdict }) => `${verdict} ${check} ${subject}`)).toEqual([
      'ok table holdfast',
      'ok queue sources',
      'ok queue sources dead letters',
      'ok queue targets',
      'ok queue targets dead letters',
      'ok bucket artefacts',
    ]);
  });

  it('show dead letters, a missing bucket and a missing table', async () => {
    const { sqs, s3 } = emulators.clients();
    const deadLetters = await sqs.send(new GetQueueUrlCommand({ QueueName: 'targets-dead' }));
    await sqs.send(new SendMessageCommand({ QueueUrl: deadLetters.QueueUrl, MessageBody: '{}' }));
    await s3.send(new DeleteBucketCommand({ Bucket: emulators.bucket }));

    const findings = await checkServices(services('another'));

    expect(findings.filter(({ verdict }) => verdict === 'problem')).toMatchObject([
      { check: 'table', subject: 'another', message: 'cannot be reached (ResourceNotFoundException)' },
      {
        check: 'queue',
        subject: 'targets dead letters',
        message: expect.stringMatching(/^1 wake-up crashed/),
      },
      { check: 'bucket', subject: 'artefacts' },
    ]);
  });

  it('skips what the credentials of this shell may not see', async () => {
    const denied = Object.assign(new Error('User x is not authorized'), {
      name: 'AccessDeniedException',
      $metadata: {},
    });
    const fail = { send: () => Promise.reject(denied) } as never;
    const { names } = services();

    const findings = await checkServices({
      names,
      clients: { dynamodb: fail, sqs: fail, s3: fail, secretsManager: fail },
    });

    expect(new Set(findings.map(({ verdict }) => verdict))).toEqual(new Set(['skipped']));
  });

  it('are wrong with another key or without an index', () => {
    expect(
      tableFaults({
        TableStatus: 'ACTIVE',
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'due',
            IndexStatus: 'CREATING',
            KeySchema: [
              { AttributeName: 'dueKey', KeyType: 'HASH' },
              { AttributeName: 'dueAt', KeyType: 'RANGE' },
            ],
          },
        ],
      }),
    ).toEqual([
      'its key is HASH id, not HASH pk, RANGE sk',
      'it has no index "list"',
      'its index "due" is CREATING, not ACTIVE',
    ]);
  });
});
