import * as z from 'zod/mini';

import { anyText, atMost, flag, label, path, secretName, text } from './schema-parts.ts';

/** Everything under spec.render together; it is kept with the application wherever that is stored. */
const MAX_RENDER_LENGTH = 65_536;
const MAX_VARIABLES_LENGTH = 32_768;

const image = z
  .strictObject({
    name: anyText('The image as it is written, without tag.', 512),
    newName: z.optional(anyText('Another image.', 512)),
    newTag: z.optional(anyText('Another tag.', 128)),
    digest: z.optional(
      text(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 lower-case hex digits', 'A digest, in place of a tag.'),
    ),
  })
  .check(z.describe('Another name, tag or digest for one image.'));

const patchTarget = z.strictObject({
  group: z.optional(z.string()),
  version: z.optional(z.string()),
  kind: z.optional(z.string()),
  name: z.optional(z.string()),
  namespace: z.optional(z.string()),
  labelSelector: z.optional(z.string()),
  annotationSelector: z.optional(z.string()),
});

const patch = z
  .strictObject({
    patch: anyText(
      'A strategic merge patch, or a list of JSON patch operations, in YAML.',
      MAX_RENDER_LENGTH,
    ),
    target: z.optional(
      patchTarget.check(
        z.describe('What to patch, as in kustomize: name, namespace and kind are regular expressions.'),
      ),
    ),
  })
  .check(z.describe('As in a kustomization.'));

const texts = (description: string) => z.record(z.string(), z.string()).check(z.describe(description));

const plain = z
  .strictObject({
    include: z.optional(
      z
        .array(anyText('A glob, relative to spec.path.', 256))
        .check(
          z.minLength(1, { error: 'at least one glob' }),
          z.describe('Files that are manifests. Default: every .yaml, .yml and .json.'),
        ),
    ),
    exclude: z.optional(
      z
        .array(anyText('A glob, relative to spec.path.', 256))
        .check(z.describe('Files that are not; wins over include.')),
    ),
    recurse: z.optional(flag('Whether directories below spec.path count. Default true.')),
  })
  .check(z.describe('Which files of a plain directory are manifests.'));

const kustomize = z
  .strictObject({
    namePrefix: z.optional(anyText('In place of the namePrefix of the kustomization.', 253)),
    nameSuffix: z.optional(anyText('In place of the nameSuffix of the kustomization.', 253)),
    namespace: z.optional(label('In place of the namespace of the kustomization.')),
    images: z.optional(z.array(image).check(z.describe('Merged by name into those of the kustomization.'))),
    patches: z.optional(z.array(patch).check(z.describe('After those of the kustomization.'))),
    components: z.optional(
      z
        .array(path('A directory, relative to spec.path.'))
        .check(z.describe('After those of the kustomization.')),
    ),
    ignoreMissingComponents: z.optional(flag('Leave out components that do not exist. Default false.')),
    replicas: z.optional(
      z
        .array(
          z.strictObject({
            name: anyText('Name of a Deployment, StatefulSet, ReplicaSet or ReplicationController.', 253),
            count: z.int().check(z.minimum(0, { error: 'no negative number' })),
          }),
        )
        .check(z.describe('Merged by name into those of the kustomization.')),
    ),
  })
  .check(
    z.describe(
      'Added to the kustomization at spec.path without touching the repository; where there is none, one is generated from all manifests below it.',
    ),
  );

const chart = z
  .strictObject({
    repository: text(
      /^(?:https?|oci):\/\/[^\s@?#\p{Cc}]{1,1000}$/u,
      'https://… with an index.yaml, or oci://… without the name of the chart; no credentials in it',
      'Where the chart is published.',
    ),
    name: text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/, 'the name of a chart', 'The name of the chart.'),
    version: z.optional(anyText('A version or a range, such as 1.2.x. Default: the newest release.', 256)),
    digest: z.optional(
      text(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 lower-case hex digits', 'Nothing but this is taken.'),
    ),
    credentials: z.optional(secretName('Secret with user name and password (holdfast secret set chart).')),
  })
  .check(z.describe('A chart from a repository or registry. Default: the one at spec.path.'));

const valueKind = z
  .enum(['SecretsManager', 'ConfigMap', 'Secret'])
  .check(
    z.describe(
      'SecretsManager: stored with "holdfast secret set values". ConfigMap, Secret: in the destination.',
    ),
  );

const externalValue = {
  kind: valueKind,
  name: text(/^[A-Za-z0-9_+=.@-]{1,253}$/, 'a name', 'Name of the secret or ConfigMap.'),
  namespace: z.optional(label('Of a ConfigMap or Secret. Default: spec.namespace.')),
  optional: z.optional(flag('Whether it may be missing. Default false.')),
};

const valuesFrom = z.strictObject({
  ...externalValue,
  key: z.optional(anyText('Default values.yaml; of Secrets Manager: the whole text.', 253)),
  targetPath: z.optional(
    anyText('Where the text goes in the values, as in --set. Default: it is a YAML mapping of values.', 512),
  ),
});

const helm = z
  .strictObject({
    chart: z.optional(chart),
    namespace: z.optional(label("The release's namespace. Default: spec.namespace.")),
    valuesFiles: z.optional(
      z
        .array(path('A file, relative to spec.path.'))
        .check(z.describe('Over the values of the chart, in this order.')),
    ),
    ignoreMissingValuesFiles: z.optional(flag('Leave out values files that do not exist. Default false.')),
    valuesFrom: z.optional(z.array(valuesFrom).check(z.describe('Over the files, in this order.'))),
    values: z.optional(z.record(z.string(), z.json()).check(z.describe('Over valuesFrom.'))),
    parameters: z.optional(
      z
        .array(
          z.strictObject({
            name: anyText('Where, as in --set.', 512),
            value: z.string().check(z.maxLength(8192, { error: 'at most 8192 characters' })),
            forceString: z.optional(flag('A text, whatever it looks like. Default false.')),
          }),
        )
        .check(z.describe('Over everything else.')),
    ),
    kubeVersion: z.optional(
      text(
        /^v?\d+\.\d+(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]{1,64})?$/,
        'a Kubernetes version, such as v1.33.0',
        'What the chart is told. Default: what the destination says.',
      ),
    ),
    apiVersions: z.optional(
      z
        .array(text(/^[A-Za-z0-9][A-Za-z0-9./-]{0,252}$/, 'such as apps/v1 or apps/v1/Deployment', 'An API.'))
        .check(z.describe('What the chart is told in addition to what the destination serves.')),
    ),
    skipCrds: z.optional(flag('Leave out the directory crds/. Default false.')),
    skipSchemaValidation: z.optional(flag('Do not check values against values.schema.json. Default false.')),
    postRender: z.optional(
      z
        .strictObject({ patches: z.optional(z.array(patch)), images: z.optional(z.array(image)) })
        .check(z.describe('Kustomize over what the chart gives.')),
    ),
  })
  .check(z.describe('How a chart is rendered.'));

export const renderSchema = z
  .strictObject({
    tool: z.optional(
      z
        .enum(['auto', 'plain', 'kustomize', 'helm'])
        .check(
          z.describe(
            'Default auto: the tool whose options are given; else kustomize or helm where their files lie at the path, else plain.',
          ),
        ),
    ),
    releaseName: z.optional(
      text(
        /^[a-z0-9](?:[-a-z0-9.]{0,51}[a-z0-9])?$/,
        'lower-case letters, digits, dashes and dots, at most 53 characters',
        "For helm. Default: the application's name.",
      ),
    ),
    plain: z.optional(plain),
    kustomize: z.optional(kustomize),
    helm: z.optional(helm),
    commonMetadata: z.optional(
      z
        .strictObject({
          labels: z.optional(texts('Labels.')),
          annotations: z.optional(texts('Annotations.')),
        })
        .check(z.describe('Set on every object, over what it has; not on pod templates.')),
    ),
    validation: z.optional(
      z
        .literal('strict')
        .check(z.describe('strict: every object is checked against what the destination says of its kind.')),
    ),
  })
  .check(z.describe('How to render.'), atMost(MAX_RENDER_LENGTH), z.check(oneToolOnly));

/** Options of a tool that is not used would be lost wishes. */
function oneToolOnly({ value, issues }: z.core.ParsePayload<Tooled>): void {
  const given = (['plain', 'kustomize', 'helm'] as const).filter((tool) => value[tool] !== undefined);
  const [first] = given;
  for (const tool of given) {
    const used = value.tool === undefined || value.tool === 'auto' ? first : value.tool;
    if (tool === used) continue;
    issues.push({
      code: 'custom',
      input: value[tool],
      path: [tool],
      message: `nothing here, because ${used} renders (see spec.render.tool)`,
    });
  }
}

interface Tooled {
  readonly tool?: string | undefined;
  readonly plain?: unknown;
  readonly kustomize?: unknown;
  readonly helm?: unknown;
}

export const substituteSchema = z
  .strictObject({
    variables: z.optional(
      z
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
          atMost(MAX_VARIABLES_LENGTH),
        ),
    ),
    from: z.optional(
      z
        .array(z.strictObject(externalValue))
        .check(z.describe('Each holds variables by name; later ones win, and variables over all of them.')),
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
    z.refine(({ variables, from }) => variables !== undefined || from !== undefined, {
      error: 'variables, from, or both',
    }),
    z.describe('Replaces ${NAME} in what was rendered, in the grammar of Flux. Absent: nothing is replaced.'),
  );

export const decryptionSchema = z
  .strictObject({
    age: z.optional(secretName('Secret with age identities (holdfast secret set decryption).')),
    kms: z.optional(flag('Ask AWS KMS, with the rights of the function. Default false.')),
  })
  .check(
    z.refine(({ age, kms }) => age !== undefined || kms === true, { error: 'age, kms: true, or both' }),
    z.describe('How files that SOPS encrypted are decrypted. Absent: they are errors.'),
  );
