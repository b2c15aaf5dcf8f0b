import { parseAllDocuments } from 'yaml';
import { runCli } from '../../lib/cli/main.ts';
import type { KubeObject } from '../../lib/model/resource.ts';

interface Role extends KubeObject {
  readonly rules: readonly {
    readonly apiGroups?: readonly string[];
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly nonResourceURLs?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

async function run(...options: readonly string[]) {
  let out = '';
  let err = '';
  const code = await runCli(['cluster', 'rbac', ...options], {
    io: {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      readStdin: async () => '',
      env: {},
      colours: false,
      now: () => 0,
      stop: new AbortController().signal,
    },
  });
  const objects = parseAllDocuments(out).map((document) => document.toJS() as KubeObject);
  const roles = objects.filter(({ kind }) => kind.endsWith('Role')) as unknown as readonly Role[];
  return { code, out, err, objects, roles };
}

describe('cluster rbac', () => {
  it('gives who reads get and list only, whatever is asked for', async () => {
    for (const options of [
      ['prod'],
      ['prod', '--namespace', 'a', 'b'],
      ['prod', '--also', '*.example.com'],
    ]) {
      const { code, roles } = await run(...options, '--read');

      const verbs = new Set(roles.flatMap(({ rules }) => rules.flatMap((rule) => rule.verbs)));
      expect(code).toBe(0);
      expect([...verbs].sort()).toEqual(['get', 'list']);
    }
  });

  it('names every resource, so that no subresource and no kind of tomorrow is in it', async () => {
    for (const options of [[], ['--read'], ['--namespace', 'a'], ['--namespace', 'a', '--impersonate']]) {
      const { roles } = await run('prod', ...options);

      const rules = roles.flatMap((role) => role.rules);
      expect(rules.flatMap(({ apiGroups = [] }) => apiGroups)).not.toContain('*');
      expect(rules.flatMap(({ resources = [] }) => resources).filter((name) => /[*/]/.test(name))).toEqual(
        [],
      );
    }
  });

  it('never gives rights beyond the namespaces, but to look at these and at CRDs', async () => {
    const { roles, objects } = await run('prod', '--namespace', 'a', 'b');

    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}`)).toEqual([
      'ClusterRole ',
      'ClusterRoleBinding ',
      'Role a',
      'RoleBinding a',
      'Role b',
      'RoleBinding b',
    ]);
    expect(roles[0]?.rules).toEqual([
      { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['get'] },
      { apiGroups: [''], resources: ['namespaces'], resourceNames: ['a', 'b'], verbs: ['get'] },
      { nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/version'], verbs: ['get'] },
    ]);
  });

  it('lets it grant more than it holds only when asked to', async () => {
    const without = await run('prod');
    const within = await run('prod', '--namespace', 'a', '--manage-rbac');
    const everywhere = await run('prod', '--manage-rbac');
    const escalating = ({ roles }: typeof without) =>
      roles.flatMap(({ rules }) => rules).filter(({ verbs }) => verbs.includes('escalate'));

    expect(escalating(without)).toEqual([]);
    expect(escalating(within)).toMatchObject([{ resources: ['roles'] }]);
    expect(escalating(everywhere)).toMatchObject([{ resources: ['clusterroles', 'roles'] }]);
  });

  it('binds the groups of the access entries, or who is named', async () => {
    const subjectsOf = ({ objects }: Awaited<ReturnType<typeof run>>) =>
      objects.flatMap((object) => (object['subjects'] as readonly unknown[] | undefined) ?? []);

    expect(subjectsOf(await run('prod'))).toMatchObject([{ kind: 'Group', name: 'holdfast:apply' }]);
    expect(subjectsOf(await run('prod', '--read'))).toMatchObject([{ kind: 'Group', name: 'holdfast:read' }]);
    expect(subjectsOf(await run('prod', '--user', 'reader'))).toMatchObject([
      { kind: 'User', name: 'reader' },
    ]);
  });

  it('prints a list for programs', async () => {
    const { out } = await run('prod', '--output', 'json');

    expect(JSON.parse(out)).toMatchObject({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ kind: 'ClusterRole' }, {}],
    });
  });

  it.each([
    [['prod', '--group', 'system:authenticated'], /nobody in particular/],
    [['prod', '--user', 'x', '--group', 'y'], /not both/],
    [['prod', '--impersonate'], /give --namespace/],
    [['prod', '--impersonate', '--namespace', 'a', '--read'], /leave --read out/],
    [['prod', '--read', '--manage-rbac'], /leave --read out/],
    [['prod', '--namespace', 'a\nkind: ClusterRole'], /no name of a namespace/],
    [['prod', '--also', '*'], /give resource\.group/],
    [['prod', '--also', 'pods/exec'], /give resource\.group/],
    [['Prod EU'], /cluster "Prod EU"/],
  ])('refuses %j', async (options, message) => {
    const { code, out, err } = await run(...options);

    expect(code).not.toBe(0);
    expect(out).toBe('');
    expect(err).toMatch(message);
  });
});
