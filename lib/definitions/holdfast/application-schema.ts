import * as z from 'zod/mini';

import { decryptionSchema, renderSchema, substituteSchema } from './render-schema.ts';
import { label, relativePath, text } from './schema-parts.ts';

export const HOLDFAST_GROUP = 'holdfast.dev';
export const HOLDFAST_API_VERSION = 'holdfast.dev/v1alpha1';

const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
/** What git allows in a ref's name (git-check-ref-format) without the forms that only confuse. */
const REF_NAME =
  /^(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))(?![-./])[^\s~^:?*[\]\\\p{Cc}]{1,250}(?<![./])$/u;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

const refName = 'the name of a branch or tag, such as main or v1.2.0, without refs/heads/';

const gitRef = z
  .strictObject({
    branch: z.optional(text(REF_NAME, refName, 'Follow this branch.')),
    tag: z.optional(text(REF_NAME, refName, 'Follow this tag.')),
    commit: z.optional(
      text(COMMIT, 'a full commit id: 40 or 64 lower-case hex digits', 'Stay at this commit.'),
    ),
  })
  .check(
    z.refine((ref) => Object.values(ref).filter((value) => value !== undefined).length === 1, {
      error: 'exactly one of branch, tag and commit',
    }),
    z.meta({
      description: 'What to follow; exactly one of branch, tag and commit. Default: branch main.',
      minProperties: 1,
      maxProperties: 1,
    }),
  );

const clusters = z.array(label('Name of a registered cluster.')).check(
  z.minLength(1, { error: 'at least one cluster' }),
  z.meta({ description: 'Names of the clusters to deploy to, each once.', uniqueItems: true }),
  z.check<string[]>(({ value, issues }) => {
    for (const [index, name] of value.entries()) {
      if (value.indexOf(name) === index) continue;
      issues.push({
        code: 'custom',
        input: name,
        path: [index],
        message: `every cluster once; clusters[${value.indexOf(name)}] is the same`,
      });
    }
  }),
);

const metadata = z.strictObject({
  name: text(
    DNS_SUBDOMAIN,
    'lower-case letters, digits, dashes and dots, at most 253 characters',
    'Name of the application.',
  ),
  namespace: z.optional(label('Only part of the name; nothing is created there.')),
  labels: z.optional(z.record(z.string(), z.string())),
  annotations: z.optional(z.record(z.string(), z.string())),
});

const spec = z.strictObject({
  source: label('Id of a registered source (holdfast source add).'),
  ref: z.optional(gitRef),
  path: z.optional(
    relativePath(
      "Directory (or file) in the repository, relative to its root. Default: '.', the root itself.",
    ),
  ),
  clusters,
  namespace: z.optional(label('Given to namespaced objects that name none.')),
  createNamespace: z.optional(
    z.boolean().check(z.describe('Create spec.namespace where it is missing. Default false.')),
  ),
  prune: z.optional(z.boolean().check(z.describe('Delete what leaves Git. Default true.'))),
  drift: z.optional(
    z
      .enum(['correct', 'report'])
      .check(z.describe('What to do about changes made past Git. Default correct.')),
  ),
  suspend: z.optional(
    z.boolean().check(z.describe('Neither apply nor prune until this is false again. Default false.')),
  ),
  render: z.optional(renderSchema),
  substitute: z.optional(substituteSchema),
  decryption: z.optional(decryptionSchema),
});

/** `Application` of holdfast.dev/v1alpha1. Strict: an unknown field is an error, because a misspelt one is a lost wish. */
export const applicationSchema = z.strictObject({
  apiVersion: z.literal(HOLDFAST_API_VERSION),
  kind: z.literal('Application'),
  metadata,
  spec,
});

export type ApplicationDocument = z.infer<typeof applicationSchema>;

/** What is published as schemas/application.schema.json. */
export function applicationJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://holdfast.dev/schemas/application.schema.json',
    title: 'Application (holdfast.dev/v1alpha1)',
    description: 'What Holdfast deploys: a path of a Git repository, and the clusters it goes to.',
    ...z.toJSONSchema(applicationSchema, { target: 'draft-2020-12' }),
  };
}
