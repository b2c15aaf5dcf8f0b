import * as z from 'zod/mini';

export const HOLDFAST_GROUP = 'holdfast.dev';
export const HOLDFAST_API_VERSION = 'holdfast.dev/v1alpha1';

const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
/** What git allows in a ref's name (git-check-ref-format) without the forms that only confuse. */
const REF_NAME =
  /^(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))(?![-./])[^\s~^:?*[\]\\\p{Cc}]{1,250}(?<![./])$/u;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

const RELATIVE_PATH = /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\\\p{Cc}]{1,1024}$/u;

const dnsLabel = 'lower-case letters, digits and dashes, at most 63 characters';

function text(pattern: RegExp, expected: string, description: string) {
  return z.string().check(z.regex(pattern, { error: expected }), z.describe(description));
}

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

const path = z.string().check(
  z.regex(RELATIVE_PATH, {
    error: 'a path relative to the repository\'s root, without "..", such as apps/web',
  }),
  z.meta({
    description:
      "Directory (or file) in the repository, relative to its root. Default: '.', the root itself.",
  }),
);

const render = z
  .strictObject({
    tool: z.optional(
      z
        .enum(['auto', 'plain', 'kustomize', 'helm'])
        .check(z.describe('Default auto: kustomize or helm where their files lie at the path, else plain.')),
    ),
    releaseName: z.optional(
      text(
        /^[a-z0-9](?:[-a-z0-9.]{0,51}[a-z0-9])?$/,
        'lower-case letters, digits, dashes and dots, at most 53 characters',
        "For helm. Default: the application's name.",
      ),
    ),
  })
  .check(z.describe('How to render.'));

/** They are kept with the application wherever it is stored, so they stay small. */
const MAX_VARIABLES_LENGTH = 32_768;

const substitute = z
  .strictObject({
    variables: z
      .record(
        z.string().check(
          z.regex(/^[_A-Za-z][_A-Za-z0-9]{0,127}$/, {
            error: 'a name of letters, digits and underscores, no digit first, at most 128 characters',
          }),
        ),
        z.string(),
      )
      .check(
        z.describe('Values by name; text only, so put numbers in quotes. They stand in Git: no secrets.'),
        z.refine((variables) => JSON.stringify(variables).length <= MAX_VARIABLES_LENGTH, {
          error: `at most ${MAX_VARIABLES_LENGTH} characters in all`,
        }),
      ),
    strategy: z.optional(
      z
        .enum(['WithVariables', 'Always'])
        .check(
          z.describe(
            'Default WithVariables: nothing is substituted where no variable is given. Always: it is.',
          ),
        ),
    ),
  })
  .check(
    z.describe('Replaces ${NAME} in what was rendered, in the grammar of Flux. Absent: nothing is replaced.'),
  );

const clusters = z.array(text(DNS_LABEL, dnsLabel, 'Name of a registered cluster.')).check(
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
  namespace: z.optional(text(DNS_LABEL, dnsLabel, 'Only part of the name; nothing is created there.')),
  labels: z.optional(z.record(z.string(), z.string())),
  annotations: z.optional(z.record(z.string(), z.string())),
});

const spec = z.strictObject({
  source: text(DNS_LABEL, dnsLabel, 'Id of a registered source (holdfast source add).'),
  ref: z.optional(gitRef),
  path: z.optional(path),
  clusters,
  namespace: z.optional(text(DNS_LABEL, dnsLabel, 'Given to namespaced objects that name none.')),
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
  render: z.optional(render),
  substitute: z.optional(substitute),
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
