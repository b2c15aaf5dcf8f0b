import type { Step } from './sequence.ts';

export const CONFIG_MAPS = '/api/v1/namespaces/$NS/configmaps';
export const SERVICES = '/api/v1/namespaces/$NS/services';
export const SECRETS = '/api/v1/namespaces/$NS/secrets';
export const DEPLOYMENTS = '/apis/apps/v1/namespaces/$NS/deployments';

type Fields = Readonly<Record<string, unknown>>;

export function configMap(name: string, data: Fields | undefined, metadata: Fields = {}): Fields {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...metadata },
    ...(data === undefined ? {} : { data }),
  };
}

export function service(name: string, spec: Fields): Fields {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

/** With no replicas, so that a cluster's controllers come to rest at once. */
export function deployment(name: string, container: Fields, more: Fields = {}, podSpec: Fields = {}): Fields {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'nginx:1.25', ...container }], ...podSpec },
      },
      ...more,
    },
  };
}

export function apply(collection: string, name: string, manager: string, body: unknown, query = ''): Step {
  const request = `PATCH ${collection}/${name}?fieldManager=${manager}${query}`;
  return { request, type: 'apply', body };
}

export function get(path: string): Step {
  return { request: `GET ${path}` };
}
