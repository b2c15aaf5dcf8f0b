import { isRecord } from './sandbox-object.ts';

export type Draft = Record<string, unknown>;

/** Sets a field that is absent or null. */
export function setDefault(object: Draft, field: string, value: unknown): void {
  if (object[field] === undefined || object[field] === null) object[field] = value;
}

export function child(object: Draft, field: string): Draft | undefined {
  const value = object[field];
  return isRecord(value) ? value : undefined;
}

export function children(object: Draft | undefined, field: string): readonly Draft[] {
  const value = object?.[field];
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

/** Defaults of a pod template, or of a pod's spec (k8s.io/kubernetes pkg/apis/core/v1/defaults.go). */
export function defaultPodSpec(spec: Draft): void {
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'securityContext', {});
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'schedulerName', 'default-scheduler');
  // The old name of the field follows the new one.
  const account = spec['serviceAccountName'] ?? spec['serviceAccount'];
  if (typeof account === 'string' && account !== '') {
    spec['serviceAccountName'] = account;
    spec['serviceAccount'] = account;
  }
  for (const volume of children(spec, 'volumes')) defaultVolume(volume);
  const hostNetwork = spec['hostNetwork'] === true;
  for (const list of ['initContainers', 'containers', 'ephemeralContainers']) {
    for (const container of children(spec, list)) defaultContainer(container, hostNetwork);
  }
}

function defaultContainer(container: Draft, hostNetwork: boolean): void {
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  setDefault(container, 'imagePullPolicy', pullPolicy(String(container['image'] ?? '')));
  for (const port of children(container, 'ports')) {
    setDefault(port, 'protocol', 'TCP');
    if (hostNetwork) setDefault(port, 'hostPort', port['containerPort']);
  }
  for (const variable of children(container, 'env')) {
    const reference = child(child(variable, 'valueFrom') ?? {}, 'fieldRef');
    if (reference !== undefined) setDefault(reference, 'apiVersion', 'v1');
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const probe = child(container, name);
    if (probe !== undefined) defaultProbe(probe);
  }
  const lifecycle = child(container, 'lifecycle');
  for (const hook of ['postStart', 'preStop']) {
    const handler = lifecycle === undefined ? undefined : child(lifecycle, hook);
    if (handler !== undefined) defaultHttpGet(handler);
  }
}

/** Always for `latest` and for no tag at all. A digest is not a tag, and a port is not one either. */
function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultProbe(probe: Draft): void {
  setDefault(probe, 'timeoutSeconds', 1);
  setDefault(probe, 'periodSeconds', 10);
  setDefault(probe, 'successThreshold', 1);
  setDefault(probe, 'failureThreshold', 3);
  defaultHttpGet(probe);
}

function defaultHttpGet(handler: Draft): void {
  const get = child(handler, 'httpGet');
  if (get === undefined) return;
  setDefault(get, 'path', '/');
  setDefault(get, 'scheme', 'HTTP');
}

const DEFAULT_MODE = 0o644;
const TOKEN_SECONDS = 3600;

function defaultVolume(volume: Draft): void {
  if (Object.keys(volume).every((key) => key === 'name')) volume['emptyDir'] = {};
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    const given = child(volume, source);
    if (given !== undefined) setDefault(given, 'defaultMode', DEFAULT_MODE);
  }
  const hostPath = child(volume, 'hostPath');
  if (hostPath !== undefined) setDefault(hostPath, 'type', '');
  for (const source of children(child(volume, 'projected'), 'sources')) {
    const token = child(source, 'serviceAccountToken');
    if (token !== undefined) setDefault(token, 'expirationSeconds', TOKEN_SECONDS);
    defaultItems(child(source, 'downwardAPI'));
  }
  defaultItems(child(volume, 'downwardAPI'));
}

function defaultItems(source: Draft | undefined): void {
  for (const item of children(source, 'items')) {
    const reference = child(item, 'fieldRef');
    if (reference !== undefined) setDefault(reference, 'apiVersion', 'v1');
  }
}
