import { isRecord } from '../objects/sandbox-object.ts';
import { anyAtomic, anyDeduced, listOf, type MapAtom, mapOf, scalar, type TypeRef } from './atom.ts';
import { metadataSchema } from './builtin.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

const STRING = scalar('string');
const NUMBER = scalar('number');
const BOOLEAN = scalar('boolean');
const UNTYPED = scalar('untyped');
const NOTHING_REQUIRED: ReadonlySet<string> = new Set();

/**
 * The type of a custom resource from its definition's schema: list types, map types, preserved fields.
 * Without a schema, or where unknown fields are preserved, ownership follows from the values.
 */
export function customSchema(openapi: JsonSchema | undefined, preserveUnknown: boolean): TypeRef {
  if (openapi === undefined || preserveUnknown) return anyDeduced;
  const root = structOf(openapi, {
    apiVersion: STRING,
    kind: STRING,
    metadata: metadataSchema(),
  });
  return () => root;
}

function typeOf(schema: unknown): TypeRef {
  if (!isRecord(schema)) return anyAtomic;
  if (schema['x-kubernetes-int-or-string'] === true) return UNTYPED;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  switch (schema['type']) {
    case 'string':
      return STRING;
    case 'integer':
    case 'number':
      return NUMBER;
    case 'boolean':
      return BOOLEAN;
    case 'array':
      return listType(schema);
    case 'object':
      return objectType(schema);
    default:
      return preserves ? anyDeduced : anyAtomic;
  }
}

function listType(schema: JsonSchema): TypeRef {
  const element = typeOf(schema['items']);
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'];
  if (type === 'map' && Array.isArray(keys)) return listOf(element, 'map', keys.map(String));
  return listOf(element, type === 'set' ? 'set' : 'atomic');
}

/** Without properties it is a map, and each of its values is owned as a whole, preserved or not. */
function objectType(schema: JsonSchema): TypeRef {
  const atomic = schema['x-kubernetes-map-type'] === 'atomic';
  if (isRecord(schema['properties'])) {
    let atom: MapAtom | undefined;
    return () => {
      atom ??= structOf(schema, {});
      return atom;
    };
  }
  const values = schema['additionalProperties'];
  if (isRecord(values)) return mapOf(typeOf(values), atomic);
  return mapOf(anyAtomic, atomic);
}

function structOf(schema: JsonSchema, more: Readonly<Record<string, TypeRef>>): MapAtom {
  const fields = new Map<string, TypeRef>();
  const defaults = new Map<string, unknown>();
  const properties = isRecord(schema['properties']) ? schema['properties'] : {};
  for (const [name, property] of Object.entries(properties)) {
    fields.set(name, typeOf(property));
    if (isRecord(property) && property['default'] !== undefined) defaults.set(name, property['default']);
  }
  for (const [name, type] of Object.entries(more)) fields.set(name, type);
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  return {
    kind: 'map',
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    fields,
    required: NOTHING_REQUIRED,
    defaults,
    ...(preserves ? { element: anyDeduced } : {}),
  };
}
