import { customSchema } from '../schema/from-openapi.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { at, isRecord, type SandboxObject } from './sandbox-object.ts';
import { BUILTIN_TYPES, type ServedType } from './served-types.ts';

export const CRD_COLLECTION = 'apiextensions.k8s.io/customresourcedefinitions';

/** What is served at the moment: the built-in types, and those of every established CustomResourceDefinition. */
export interface TypeRegistry {
  readonly all: () => readonly ServedType[];
  readonly find: (group: string, version: string, resource: string) => ServedType | undefined;
  /** Any served version of the type that is stored under a collectionKey. */
  readonly ofCollection: (collection: string) => ServedType | undefined;
  /** To be called when a CustomResourceDefinition changed. */
  readonly refresh: () => void;
}

export function createTypeRegistry(store: () => ObjectStore): TypeRegistry {
  let types: readonly ServedType[] | undefined;
  let byPath = new Map<string, ServedType>();

  function all(): readonly ServedType[] {
    if (types === undefined) {
      types = [...BUILTIN_TYPES, ...store().list(CRD_COLLECTION).flatMap(typesOfCrd)];
      byPath = new Map(types.map((type) => [`${type.apiVersion}/${type.resource}`, type]));
    }
    return types;
  }

  return {
    all,
    find: (group, version, resource) => {
      all();
      return byPath.get(`${group === '' ? '' : `${group}/`}${version}/${resource}`);
    },
    ofCollection: (collection) => all().find((type) => `${type.group}/${type.resource}` === collection),
    refresh: () => {
      types = undefined;
    },
  };
}

export function hasCondition(object: SandboxObject, type: string): boolean {
  const conditions = at(object, 'status', 'conditions');
  return (
    Array.isArray(conditions) &&
    conditions.some((entry) => at(entry, 'type') === type && at(entry, 'status') === 'True')
  );
}

function typesOfCrd(crd: SandboxObject): readonly ServedType[] {
  const versions = at(crd, 'spec', 'versions');
  if (!hasCondition(crd, 'Established') || !Array.isArray(versions)) return [];
  return versions
    .filter((version) => at(version, 'served') === true)
    .map((version) => typeOfVersion(crd, version));
}

function typeOfVersion(crd: SandboxObject, version: unknown): ServedType {
  const text = (...path: readonly string[]): string => String(at(crd, 'spec', ...path) ?? '');
  const list = (...path: readonly string[]): readonly string[] => {
    const value = at(crd, 'spec', ...path);
    return Array.isArray(value) ? value.map(String) : [];
  };
  const group = text('group');
  const name = String(at(version, 'name'));
  const openapi = at(version, 'schema', 'openAPIV3Schema');
  const preserveUnknown = at(crd, 'spec', 'preserveUnknownFields') === true;
  return {
    group,
    version: name,
    apiVersion: `${group}/${name}`,
    kind: text('names', 'kind'),
    listKind: text('names', 'listKind'),
    resource: text('names', 'plural'),
    singular: text('names', 'singular'),
    shortNames: list('names', 'shortNames'),
    categories: list('names', 'categories'),
    namespaced: text('scope') === 'Namespaced',
    schema: customSchema(isRecord(openapi) ? openapi : undefined, preserveUnknown),
    hasStatus: at(version, 'subresources', 'status') !== undefined,
    hasScale: false,
    custom: {
      crd: crd.metadata.name,
      preserveUnknown,
      ...(isRecord(openapi) ? { openapi } : {}),
    },
  };
}
