import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readDescription } from '../../lib/cli/describe-eks-cluster.ts';
import { readStackOutputs } from '../../lib/cli/connect-stack.ts';
import type { ClusterName } from '../../lib/model/ids.ts';
import { memoryTable } from '../support/memory-table.ts';
import { tableStateStore } from '../../lib/state/table-state-store.ts';
import { fakeKube } from '../kube/fake-kube.ts';
import { type CliWorld, cliWorld } from '../cli/cli-world.ts';
import { type ReconcileWorld, reconcileWorld } from '../support/reconcile-world.ts';

const CA = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const PROD = 'prod' as ClusterName;
const ROLE = 'arn:aws:iam::444455556666:role/holdfast';

let world: ReconcileWorld;
let cli: CliWorld;

beforeEach(async () => {
  world = await reconcileWorld({ clusters: { here: fakeKube() } });
  cli = cliWorld(world.deps);
});

function caFile(content = CA): string {
  const file = join(mkdtempSync(join(tmpdir(), 'holdfast-eks-')), 'ca.pem');
  writeFileSync(file, content);
  return file;
}

function addEks(...more: string[]) {
  return cli.run('cluster', 'add', 'prod', '--eks', 'prod-eks', '--region', 'eu-central-1', ...more);
}

describe('cluster add --eks', () => {
  it('asks EKS for endpoint and CA, and stores no secret', async () => {
    const added = await addEks();

    expect(added).toMatchObject({
      code: 0,
      out: 'Added cluster prod (https://prod-eks.eks.example).\n',
      err: '',
    });
    expect(await world.deps.state.getCluster(PROD)).toEqual({
      schema: 2,
      name: 'prod',
      labels: {},
      endpoint: 'https://prod-eks.eks.example',
      caData: CA,
      authentication: {
        kind: 'eks',
        clusterName: 'prod-eks',
        region: 'eu-central-1',
        apply: {},
        read: {},
      },
    });
    expect(cli.secrets.size).toBe(0);
  });

  it('takes roles with external ids, endpoint and CA', async () => {
    const added = await addEks(
      ...['--role-arn', ROLE, '--external-id', 'tenant-7'],
      ...['--read-role-arn', `${ROLE}-read`, '--read-external-id', 'tenant-8'],
      ...['--endpoint', 'https://10.0.0.1', '--ca-file', caFile()],
    );

    expect(added).toMatchObject({ code: 0, err: '' });
    expect(await world.deps.state.getCluster(PROD)).toMatchObject({
      endpoint: 'https://10.0.0.1',
      authentication: {
        apply: { roleArn: ROLE, externalId: 'tenant-7' },
        read: { roleArn: `${ROLE}-read`, externalId: 'tenant-8' },
      },
    });
  });

  it('warns where one role does both', async () => {
    const added = await addEks('--role-arn', ROLE, '--read-role-arn', ROLE);

    expect(added.err).toMatch(/^warning: the role that reads is the role that applies/);
  });

  it('takes the place of stored credentials and removes them, and the other way round', async () => {
    await world.deps.state.putCluster({
      schema: 1,
      name: PROD,
      labels: {},
      endpoint: 'https://old.example',
      applySecret: 'prod-1',
      readSecret: 'prod-1',
    });
    cli.secrets.set('cluster-apply/prod-1', '{"token":"a"}');
    cli.secrets.set('cluster-read/prod-1', '{"token":"b"}');

    await addEks('--replace');

    expect(cli.secrets.size).toBe(0);
    expect((await world.deps.state.getCluster(PROD))?.schema).toBe(2);
    expect((await cli.run('cluster', 'list')).out).toContain('prod-eks.eks.example');
    expect((await cli.run('cluster', 'remove', 'prod')).code).toBe(0);
    expect(await world.deps.state.getCluster(PROD)).toBeUndefined();
  });

  it.each([
    [['--kubeconfig', 'x'], /either --kubeconfig, or --eks/],
    [['--context', 'x'], /--context is for kubeconfigs/],
    [['--external-id', 'x1'], /--external-id needs --role-arn/],
    [['--role-arn', 'arn:aws:iam::1:role/x'], /--role-arn: expected arn:aws:iam::<account>:role/],
    [['--role-arn', ROLE, '--external-id', 'a b'], /--external-id: expected/],
    [['--endpoint', 'https://x.example'], /--endpoint and --ca-file belong together/],
  ])('refuses %j', async (options, message) => {
    const added = await addEks(...options);

    expect(added.code).toBe(64);
    expect(added.err).toMatch(message);
    expect(await world.deps.state.getCluster(PROD)).toBeUndefined();
  });

  it('refuses options of EKS for a kubeconfig, and a file that holds no certificate', async () => {
    const kubeconfig = await cli.run('cluster', 'add', 'prod', '--kubeconfig', 'x', '--role-arn', ROLE);
    const noCa = await addEks('--endpoint', 'https://x.example', '--ca-file', caFile('nothing'));

    expect(kubeconfig.err).toMatch(/--role-arn is for EKS clusters/);
    expect(noCa.err).toMatch(/holds no PEM certificate/);
  });
});

describe('what EKS says of a cluster', () => {
  const described = {
    status: 'ACTIVE',
    endpoint: 'https://x.eks.amazonaws.com',
    certificateAuthority: { data: Buffer.from(CA).toString('base64') },
  };

  it('gives endpoint and CA', () => {
    expect(readDescription('prod', 'eu-central-1', described)).toEqual({
      endpoint: 'https://x.eks.amazonaws.com',
      caData: CA,
      warnings: [],
    });
  });

  it('warns of a cluster that takes no access entries', () => {
    const accessConfig = { authenticationMode: 'CONFIG_MAP' };

    expect(readDescription('prod', 'eu-central-1', { ...described, accessConfig }).warnings).toHaveLength(1);
  });

  it('refuses a cluster that is still being made', () => {
    expect(() => readDescription('prod', 'eu-central-1', { status: 'CREATING' })).toThrow(
      /has no endpoint or CA yet \(it is CREATING\)/,
    );
  });
});

describe('stored clusters', () => {
  it('of the first schema are read as they were', async () => {
    const table = memoryTable();
    const record = {
      schema: 1,
      name: 'old',
      labels: {},
      endpoint: 'https://old.example',
      applySecret: 'a',
      readSecret: 'b',
    };
    await table.put(
      {
        pk: 'CLUSTER#old',
        sk: 'META',
        version: 1,
        body: JSON.stringify(record),
        list: { key: 'CLUSTER', sort: 'old' },
      },
      'always',
    );

    expect(await tableStateStore(table).listClusters()).toEqual([record]);
  });

  it('refuses one of a later schema instead of guessing', async () => {
    const table = memoryTable();
    await table.put({ pk: 'CLUSTER#new', sk: 'META', version: 1, body: '{"schema":3}' }, 'always');

    await expect(tableStateStore(table).getCluster('new' as ClusterName)).rejects.toMatchObject({
      code: 'state-schema',
    });
  });
});

describe('the outputs of a stack', () => {
  const outputs = {
    Installation: 'Holdfast-0a1b',
    Table: 'table-1',
    SourceQueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/s',
    TargetQueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/t',
    Bucket: 'bucket-1',
    SecretPrefix: 'holdfast/x',
    WebhookUrl: 'https://x.example/hooks',
  };
  const names = {
    installation: 'Holdfast-0a1b',
    table: 'table-1',
    sourceQueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/s',
    targetQueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/t',
    bucket: 'bucket-1',
    secretPrefix: 'holdfast/x',
    webhookUrl: 'https://x.example/hooks',
  };

  it('name the installation, beside other stacks and behind the path of a construct', () => {
    const inner = Object.fromEntries(
      Object.entries(outputs).map(([name, value]) => [`HoldfastInner${name}0A1B2C3D`, value]),
    );

    expect(readStackOutputs(JSON.stringify({ Network: { VpcId: 'vpc-1' }, Holdfast: outputs }))).toEqual(
      names,
    );
    expect(readStackOutputs(JSON.stringify({ Platform: inner }))).toEqual(names);
  });

  it.each([
    ['no JSON', '{', /is not JSON/],
    ['another shape', '{"a":1}', /is not a mapping/],
    ['no installation', '{"Network":{"VpcId":"vpc-1"}}', /holds no outputs of a Holdfast stack/],
    ['two installations', JSON.stringify({ A: outputs, B: outputs }), /several installations \(A, B\)/],
    [
      'a part of one',
      '{"A":{"Table":"t","SecretPrefix":"p"}}',
      /stack A has no output Installation, SourceQueueUrl/,
    ],
  ])('refuses %s', (_what, text, message) => {
    expect(() => readStackOutputs(text)).toThrow(message);
  });
});
