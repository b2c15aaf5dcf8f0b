import { randomUUID } from 'node:crypto';
import type { SandboxMeta, SandboxObject } from '../objects/sandbox-object.ts';
import { kubeTime } from '../objects/sandbox-object.ts';
import { collectionKey, type ServedType } from '../objects/served-types.ts';
import type { ServiceAllocator } from '../objects/strategy.ts';
import type { TypeRegistry } from '../objects/type-registry.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { forbidden, notFound } from './status.ts';

/** What every verb works on. */
export interface SandboxWorld {
  readonly store: ObjectStore;
  readonly types: TypeRegistry;
  readonly allocator: ServiceAllocator;
  readonly clock: () => Date;
}

export const NAMESPACE_COLLECTION = '/namespaces';

export function now(world: SandboxWorld): string {
  return kubeTime(world.clock());
}

export function newUid(): string {
  return randomUUID();
}

/** @throws ApiError 404 */
export function liveObject(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  name: string,
): SandboxObject {
  const found = world.store.get(collectionKey(type), namespace, name);
  if (found === undefined) throw notFound(type, name);
  return found;
}

const NAMESPACE_TYPE = { group: '', kind: 'Namespace', resource: 'namespaces' };

/** New objects need a namespace that is there and stays. @throws ApiError 404 or 403 */
export function requireNamespace(
  world: SandboxWorld,
  type: ServedType,
  namespace: string,
  name: string,
): void {
  if (!type.namespaced) return;
  const found = world.store.get(NAMESPACE_COLLECTION, '', namespace);
  if (found === undefined) throw notFound(NAMESPACE_TYPE, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  throw forbidden(
    type,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
    [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  );
}

/** Service addresses of 10.96.0.0/16 and node ports from 30000, skipping those in use. */
export function createAllocator(services: () => readonly SandboxObject[]): ServiceAllocator {
  let nextIp = 1;
  let nextPort = 30_000;
  const LAST_IP = 65_534;
  const LAST_PORT = 32_767;
  const specs = (): readonly Record<string, unknown>[] =>
    services().map((service) => service['spec'] as Record<string, unknown>);
  return {
    clusterIp: () => {
      const used = new Set(specs().map((spec) => spec['clusterIP']));
      for (let tries = 0; tries < LAST_IP; tries += 1) {
        const ip = `10.96.${nextIp >> 8}.${nextIp & 255}`;
        nextIp = nextIp >= LAST_IP ? 1 : nextIp + 1;
        if (!used.has(ip)) return ip;
      }
      throw new Error('no cluster IP is free');
    },
    nodePort: () => {
      const used = new Set(
        specs()
          .flatMap((spec) => (spec['ports'] as readonly { readonly nodePort?: number }[]) ?? [])
          .map((port) => port.nodePort),
      );
      for (let tries = 30_000; tries <= LAST_PORT; tries += 1) {
        const port = nextPort;
        nextPort = nextPort >= LAST_PORT ? 30_000 : nextPort + 1;
        if (!used.has(port)) return port;
      }
      throw new Error('no node port is free');
    },
  };
}

/** The object without its managedFields: what ownership is computed on. */
export function withoutManagedFields<T extends { readonly metadata: Partial<SandboxMeta> }>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
