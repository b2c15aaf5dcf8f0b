import { posix } from 'node:path';
import * as z from 'zod/mini';

import type { Application, RenderOptions } from '../../model/application.ts';
import { applicationId } from '../../model/ids.ts';
import type { ClusterName, SourceId } from '../../model/ids.ts';
import type { Manifest } from '../../model/resource.ts';
import { groupOf } from '../../model/resource.ts';
import type { GitRef } from '../../model/source.ts';
import type { DefinitionContext, DefinitionError, ReadDefinition } from '../dialect.ts';
import { applicationSchema, HOLDFAST_API_VERSION, HOLDFAST_GROUP } from './application-schema.ts';
import type { ApplicationDocument } from './application-schema.ts';

/** Everything in the group holdfast.dev: a kind or version that is not known here is an error, never something to apply. */
export function isHoldfastDefinition(apiVersion: string, _kind: string): boolean {
  return groupOf(apiVersion) === HOLDFAST_GROUP;
}

/**
 * An Application of Holdfast's own dialect. All errors at once, each with its path, what was expected, what was got and
 * what to do.
 */
export function readHoldfastApplication(manifest: Manifest, context: DefinitionContext): ReadDefinition {
  const { object } = manifest;
  if (object.apiVersion !== HOLDFAST_API_VERSION || object.kind !== 'Application') {
    return { ok: false, errors: [unknownKind(object.apiVersion, object.kind)] };
  }
  z.config(z.locales.en());
  const parsed = applicationSchema.safeParse(object);
  if (!parsed.success) {
    const errors = parsed.error.issues.flatMap((issue) => describeIssue(issue, object));
    return { ok: false, errors, ...idOf(manifest, context) };
  }
  return { ok: true, application: toApplication(parsed.data, context) };
}

const DEFAULT_NAMESPACE = 'default';

function toApplication({ metadata, spec }: ApplicationDocument, context: DefinitionContext): Application {
  const namespace = metadata.namespace ?? DEFAULT_NAMESPACE;
  const { name } = metadata;
  return {
    id: applicationId({ ...context, dialect: 'holdfast', namespace, name }),
    root: context.root,
    dialect: 'holdfast',
    namespace,
    name,
    source: spec.source as SourceId,
    ref: toRef(spec.ref),
    path: posix.normalize(spec.path ?? '.').replace(/(?<=.)\/$/, ''),
    render: toRenderOptions(spec),
    destinations: spec.clusters.map((cluster) => ({ cluster: cluster as ClusterName })),
    ...(spec.namespace === undefined ? {} : { targetNamespace: spec.namespace }),
    createNamespace: spec.createNamespace ?? false,
    prune: spec.prune ?? true,
    drift: spec.drift ?? 'correct',
    suspend: spec.suspend ?? false,
  };
}

/** The schema gives what the model wants: a field that is not written is not there, never undefined. */
function toRenderOptions({ render, substitute, decryption }: ApplicationDocument['spec']): RenderOptions {
  return {
    ...(render as Partial<RenderOptions> | undefined),
    tool: render?.tool ?? 'auto',
    ...(substitute === undefined
      ? {}
      : { substitute: { variables: {}, ...substitute } as NonNullable<RenderOptions['substitute']> }),
    ...(decryption === undefined
      ? {}
      : { decryption: decryption as NonNullable<RenderOptions['decryption']> }),
  };
}

function toRef(ref: ApplicationDocument['spec']['ref']): GitRef {
  if (ref?.tag !== undefined) return { kind: 'tag', name: ref.tag };
  if (ref?.commit !== undefined) return { kind: 'commit', sha: ref.commit };
  return { kind: 'branch', name: ref?.branch ?? 'main' };
}

/** Which application a faulty definition is about, where that can be read: it is declared, so it must not be removed. */
function idOf({ object }: Manifest, context: DefinitionContext): Pick<ReadDefinition & { ok: false }, 'id'> {
  const { name, namespace } = object.metadata;
  if (typeof name !== 'string' || name === '') return {};
  const declared = typeof namespace === 'string' && namespace !== '' ? namespace : DEFAULT_NAMESPACE;
  return { id: applicationId({ ...context, dialect: 'holdfast', namespace: declared, name }) };
}

function unknownKind(apiVersion: string, kind: string): DefinitionError {
  const knowsVersion = apiVersion === HOLDFAST_API_VERSION;
  const path = knowsVersion ? 'kind' : 'apiVersion';
  const expected = knowsVersion ? 'Application' : HOLDFAST_API_VERSION;
  const got = JSON.stringify(knowsVersion ? kind : apiVersion);
  return {
    path,
    message: `${path}: expected ${expected}, got ${got}: correct it, or use a version of Holdfast that knows it`,
  };
}

type Issue = z.core.$ZodIssue;

function describeIssue(issue: Issue, object: unknown): readonly DefinitionError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = pathOf([...issue.path, key]);
      return {
        path,
        message: `${path}: unknown field; correct its spelling or remove it${knownFields(issue.path)}`,
      };
    });
  }
  const path = pathOf(issue.path);
  if (issue.code === 'invalid_key') {
    const expected = issue.issues.map(({ message }) => message).join(', ');
    return [{ path, message: `${path}: expected ${expected}: correct it` }];
  }
  const got = describeGot(valueAt(object, issue.path));
  return [
    {
      path,
      message: `${path}: expected ${expectedOf(issue)}, got ${got}${got === 'nothing' ? ': add it' : ': correct it'}`,
    },
  ];
}

function expectedOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'object' || issue.expected === 'record'
        ? 'a mapping'
        : articleFor(issue.expected);
    case 'invalid_value':
      return issue.values.map((value) => String(value)).join(' or ');
    default:
      return issue.message;
  }
}

function articleFor(type: string): string {
  if (type === 'array') return 'a list';
  return type === 'boolean' ? 'true or false' : `a ${type}`;
}

/** Definitions hold no secrets, but what stands in one by mistake is not repeated at length. */
function describeGot(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  const shown = JSON.stringify(value);
  return shown.length > 80 ? `${shown.slice(0, 79)}…` : shown;
}

function knownFields(path: readonly PropertyKey[]): string {
  const schema = path.reduce<unknown>((at, part) => shapeOf(at)?.[String(part)], applicationSchema);
  const shape = shapeOf(schema);
  return shape === undefined ? '' : ` (known: ${Object.keys(shape).join(', ')})`;
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  const definition = (
    schema as { _zod?: { def?: { shape?: Record<string, unknown>; innerType?: unknown } } } | undefined
  )?._zod?.def;
  if (definition?.innerType !== undefined) return shapeOf(definition.innerType);
  return definition?.shape;
}

function valueAt(object: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    object,
  );
}

/** `spec.clusters[0]`, `metadata.labels["a.b/c"]` */
function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part);
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
    return text === '' ? name : `${text}.${name}`;
  }, '');
}
