import { get } from '../support/objects.ts';
import type { Sequence, Step } from '../support/sequence.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

function crd(kind: string, schema: unknown, more: Readonly<Record<string, unknown>> = {}): unknown {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.$SUFFIX.example.com` },
    spec: {
      group: '$SUFFIX.example.com',
      names: { kind, plural },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more }],
    },
  };
}

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1 },
        mode: { type: 'string', enum: ['fast', 'slow'], default: 'slow' },
        items: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, value: { type: 'string' } },
          },
        },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        plain: { type: 'array', items: { type: 'string' } },
        whole: {
          type: 'object',
          'x-kubernetes-map-type': 'atomic',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
        },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } },
          },
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
      },
    },
    status: { type: 'object', properties: { phase: { type: 'string' } } },
  },
};

function established(plural: string): Step {
  return {
    ...get(`${CRDS}/${plural}.$SUFFIX.example.com`),
    until: { path: 'status.conditions.1.status', equals: 'True' },
  };
}

function object(
  kind: string,
  spec: unknown,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { apiVersion: '$SUFFIX.example.com/v1', kind, metadata: { name: 'x' }, spec, ...more };
}

function path(plural: string): string {
  return `/apis/$SUFFIX.example.com/v1/namespaces/$NS/${plural}`;
}

function apply(plural: string, manager: string, body: unknown, query = ''): Step {
  return { request: `PATCH ${path(plural)}/x?fieldManager=${manager}${query}`, type: 'apply', body };
}

/**
 * Definitions and their objects. No int-or-string in the schema: 1.20 fails to read such a schema for apply and falls
 * back to none, which no newer server does.
 */
export const CUSTOM: readonly Sequence[] = [
  {
    name: 'crd-establishes',
    anyTime: true,
    steps: [
      {
        request: `POST ${CRDS}`,
        body: crd('Gadget', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
      },
      established('gadgets'),
      { request: `DELETE ${CRDS}/gadgets.$SUFFIX.example.com` },
      { ...get(`${CRDS}/gadgets.$SUFFIX.example.com`), until: { path: 'code', equals: 404 } },
    ],
  },
  {
    name: 'crd-applied',
    anyTime: true,
    steps: [
      {
        request: `PATCH ${CRDS}/gizmos.$SUFFIX.example.com?fieldManager=m1`,
        type: 'apply',
        body: crd('Gizmo', SCHEMA, { subresources: { status: {} } }),
      },
      established('gizmos'),
      {
        request: `PATCH ${CRDS}/gizmos.$SUFFIX.example.com?fieldManager=m1`,
        type: 'apply',
        body: crd('Gizmo', SCHEMA, { subresources: { status: {} } }),
      },
      { request: `DELETE ${CRDS}/gizmos.$SUFFIX.example.com` },
    ],
  },
  {
    name: 'custom-resource-with-schema',
    steps: [
      { request: `POST ${CRDS}`, body: crd('Widget', SCHEMA, { subresources: { status: {} } }) },
      established('widgets'),
      { ...get(path('widgets')), until: { path: 'kind', equals: 'WidgetList' } },
      apply(
        'widgets',
        'm1',
        object('Widget', {
          size: 1,
          items: [{ name: 'a', value: '1' }],
          tags: ['t'],
          plain: ['p'],
          whole: { a: '1' },
          free: { any: { x: 1 } },
          labels: { l: '1' },
        }),
      ),
      apply(
        'widgets',
        'm2',
        object('Widget', {
          items: [{ name: 'b', value: '2' }],
          tags: ['u'],
          free: { other: [1] },
          labels: { m: '2' },
        }),
      ),
      apply('widgets', 'm2', object('Widget', { plain: ['q'], whole: { b: '2' } })),
      apply('widgets', 'm1', object('Widget', { size: 2, mode: 'fast' })),
      apply('widgets', 'm1', object('Widget', { size: 2, unknown: 1 })),
      apply('widgets', 'm1', object('Widget', { size: 0 })),
      apply('widgets', 'm1', object('Widget', { size: 2, mode: 'other' })),
      apply('widgets', 'm1', object('Widget', { mode: 'fast' })),
      apply('widgets', 'm1', object('Widget', { size: 2, mode: 'fast', ports: [{ port: 80 }] })),
      apply(
        'widgets',
        'm1',
        object('Widget', { size: 2, mode: 'fast', ports: [{ port: 80, protocol: 'TCP' }] }),
      ),
      {
        request: `POST ${path('widgets')}`,
        body: { ...object('Widget', { size: 'big', unknown: 1 }), metadata: { name: 'y' } },
      },
      {
        request: `POST ${path('widgets')}`,
        body: {
          ...object('Widget', { size: 3, unknown: 1 }, { status: { phase: 'x' } }),
          metadata: { name: 'y' },
        },
      },
      {
        request: `PUT ${path('widgets')}/y`,
        body: { ...object('Widget', { size: 4 }), metadata: { name: 'y' } },
      },
      {
        request: `PATCH ${path('widgets')}/y`,
        type: 'merge',
        body: { spec: { size: 5 }, status: { phase: 'y' } },
      },
      {
        request: `PATCH ${path('widgets')}/y/status`,
        type: 'merge',
        body: { spec: { size: 6 }, status: { phase: 'z' } },
      },
      { request: `PATCH ${path('widgets')}/y`, type: 'merge', body: { metadata: { labels: { a: 'b' } } } },
      { request: `PATCH ${path('widgets')}/y`, type: 'strategic', body: { spec: { size: 5 } } },
      { request: `DELETE ${path('widgets')}/y` },
      { request: `DELETE ${CRDS}/widgets.$SUFFIX.example.com` },
    ],
  },
  {
    name: 'custom-resource-without-schema',
    steps: [
      {
        request: `POST ${CRDS}`,
        body: crd('Loose', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
      },
      established('looses'),
      { ...get(path('looses')), until: { path: 'kind', equals: 'LooseList' } },
      apply('looses', 'm1', object('Loose', { a: 1, list: [{ name: 'x' }], map: { k: 'v' } })),
      apply('looses', 'm2', object('Loose', { list: [{ name: 'y' }] })),
      apply('looses', 'm2', object('Loose', { b: null, map: { l: 'w' } })),
      apply('looses', 'm1', object('Loose', { a: 'text' })),
      { request: `PATCH ${path('looses')}/x`, type: 'merge', body: { spec: { a: { deep: true } } } },
      get(`${path('looses')}/x`),
      { request: `DELETE ${CRDS}/looses.$SUFFIX.example.com` },
    ],
  },
];
