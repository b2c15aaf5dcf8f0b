import { KubeError } from './kube-error.ts';

/** What of a JSON schema says which fields there are and what they take. Descriptions and value rules are left out. */
export interface OpenApiSchema {
  /** Name of another definition, which takes the place of this one. */
  readonly ref?: string;
  /** Absent: anything. */
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  /** Of every member that `properties` does not name; true: anything. */
  readonly additionalProperties?: OpenApiSchema | true;
  readonly enum?: readonly unknown[];
  /** Null is a value. */
  readonly nullable?: boolean;
  /** Null is the absent field. */
  readonly hasDefault?: boolean;
  /** Fields that are not named are kept. */
  readonly preservesUnknownFields?: boolean;
  readonly isIntOrString?: boolean;
  /** A whole object, with apiVersion, kind and metadata. */
  readonly isEmbeddedResource?: boolean;
}

/** What a cluster says of the objects it serves. */
export interface OpenApi {
  /** undefined: the document does not describe this kind. */
  schemaOf(apiVersion: string, kind: string): OpenApiSchema | undefined;
  /** The definition that a schema names, or the schema itself. undefined: it names nothing. */
  resolve(schema: OpenApiSchema): OpenApiSchema | undefined;
}

type Raw = Readonly<Record<string, unknown>>;

/**
 * An OpenAPI v2 document of Kubernetes (`/openapi/v2`), built-in kinds and custom resources.
 * @throws KubeError `kube-error` for anything else
 */
export function readOpenApi(document: unknown): OpenApi {
  const raw = recordOf(recordOf(document)?.['definitions']);
  if (raw === undefined) {
    throw new KubeError('kube-error', '/openapi/v2: the answer is no OpenAPI v2 document', {
      retryable: true,
    });
  }
  const definitions = new Map(Object.entries(raw).map(([name, value]) => [name, schemaFrom(value)]));
  const kinds = new Map<string, OpenApiSchema>();
  for (const [name, value] of Object.entries(raw)) {
    const served = recordOf(value)?.['x-kubernetes-group-version-kind'];
    const schema = definitions.get(name);
    if (!Array.isArray(served) || schema === undefined) continue;
    for (const each of served as readonly unknown[]) {
      const { group, version, kind } = recordOf(each) ?? {};
      if (typeof version !== 'string' || typeof kind !== 'string') continue;
      const apiVersion = typeof group === 'string' && group !== '' ? `${group}/${version}` : version;
      kinds.set(`${apiVersion}/${kind}`, schema);
    }
  }
  return {
    schemaOf: (apiVersion, kind) => kinds.get(`${apiVersion}/${kind}`),
    resolve: (schema) => {
      let found: OpenApiSchema | undefined = schema;
      // No chain in a real document is longer than two; one that runs in a circle must end.
      for (let depth = 0; depth < 10 && found?.ref !== undefined; depth += 1)
        found = definitions.get(found.ref);
      return found?.ref === undefined ? found : undefined;
    },
  };
}

/** A schema as it stands in OpenAPI v2 or in a CustomResourceDefinition. */
export function schemaFrom(value: unknown, depth = 0): OpenApiSchema {
  const raw = recordOf(value);
  // `true`, or deeper than any schema that a server takes.
  if (raw === undefined || depth > 200) return {};
  const { type, format, $ref, properties, required, items, additionalProperties } = raw;
  const inner = (schema: unknown): OpenApiSchema => schemaFrom(schema, depth + 1);
  return {
    ...(typeof $ref === 'string' ? { ref: $ref.slice($ref.lastIndexOf('/') + 1) } : {}),
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof format === 'string' ? { format } : {}),
    ...(recordOf(properties) === undefined
      ? {}
      : { properties: withInner(recordOf(properties) ?? {}, inner) }),
    ...(Array.isArray(required) ? { required: required.filter((name) => typeof name === 'string') } : {}),
    ...(items === undefined ? {} : { items: inner(items) }),
    ...(additionalProperties === undefined || additionalProperties === false
      ? {}
      : { additionalProperties: additionalProperties === true ? true : inner(additionalProperties) }),
    ...(Array.isArray(raw['enum']) ? { enum: raw['enum'] as readonly unknown[] } : {}),
    ...flags(raw),
  };
}

function flags(raw: Raw): Partial<OpenApiSchema> {
  return {
    ...(raw['nullable'] === true ? { nullable: true } : {}),
    ...(raw['default'] === undefined ? {} : { hasDefault: true }),
    ...(raw['x-kubernetes-preserve-unknown-fields'] === true ? { preservesUnknownFields: true } : {}),
    ...(raw['x-kubernetes-int-or-string'] === true ? { isIntOrString: true } : {}),
    ...(raw['x-kubernetes-embedded-resource'] === true ? { isEmbeddedResource: true } : {}),
  };
}

/** A property may be called `__proto__`, which an object literal would take for something else. */
function withInner(
  properties: Raw,
  inner: (schema: unknown) => OpenApiSchema,
): Readonly<Record<string, OpenApiSchema>> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, inner(schema)]));
}

function recordOf(value: unknown): Raw | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined;
}
