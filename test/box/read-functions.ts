import { join } from 'node:path';
import type { FunctionSpec } from './execution-environment.ts';
import { type Properties, type Resolve, resourcesOf, type Template } from './template.ts';

/** The asset manifest that stands beside a template: `<stack>.assets.json`. */
export interface AssetManifest {
  readonly files: Readonly<Record<string, { readonly source: { readonly path: string } }>>;
}

export interface Assembly {
  readonly template: Template;
  readonly assets: AssetManifest;
  /** `cdk.out` */
  readonly directory: string;
}

/** A function of the template, before its references are resolved. */
export interface FunctionResource {
  readonly logicalId: string;
  readonly roleId: string;
  readonly properties: Properties;
  readonly codeDirectory: string;
  readonly layerArchives: readonly string[];
  /** undefined: not limited */
  readonly reservedConcurrency: number | undefined;
}

export function readFunctions(assembly: Assembly): readonly FunctionResource[] {
  return resourcesOf(assembly.template, 'AWS::Lambda::Function').map(([logicalId, properties]) => {
    const layers = (properties['Layers'] as readonly { readonly Ref: string }[] | undefined) ?? [];
    const role = properties['Role'] as { readonly 'Fn::GetAtt': readonly [string, string] };
    const reserved = properties['ReservedConcurrentExecutions'];
    return {
      logicalId,
      roleId: role['Fn::GetAtt'][0],
      properties,
      codeDirectory: assetOf(assembly, properties['Code'] as S3Location),
      layerArchives: layers.map(({ Ref: layer }) => {
        const content = assembly.template.Resources[layer]?.Properties?.['Content'];
        return assetOf(assembly, content as S3Location);
      }),
      reservedConcurrency: typeof reserved === 'number' ? reserved : undefined,
    };
  });
}

interface S3Location {
  readonly S3Key: string;
}

/** CDK puts an asset at `<hash>.zip` in its bucket, and says in the manifest where it is on disk. */
function assetOf({ assets, directory }: Assembly, { S3Key: key }: S3Location): string {
  const hash = key.replace(/\.[a-z]+$/, '');
  const file = assets.files[hash];
  if (file === undefined) throw new Error(`the asset manifest has no file for ${key}`);
  return join(directory, file.source.path);
}

const DEFAULT_TIMEOUT_SECONDS = 3;
const DEFAULT_MEMORY_MB = 128;
const DEFAULT_TEMPORARY_MB = 512;

/** The function as it would run, with its own view of the endpoints. */
export function toSpec(
  found: FunctionResource,
  resolve: Resolve,
  given: { readonly layerDirectory?: string; readonly environment: Readonly<Record<string, string>> },
): FunctionSpec {
  const { logicalId, properties } = found;
  const variables =
    (properties['Environment'] as { readonly Variables?: Properties } | undefined)?.Variables ?? {};
  const storage = properties['EphemeralStorage'] as { readonly Size: number } | undefined;
  return {
    name: String(resolve({ Ref: logicalId })),
    arn: String(resolve({ 'Fn::GetAtt': [logicalId, 'Arn'] })),
    handler: String(properties['Handler']),
    codeDirectory: found.codeDirectory,
    ...(given.layerDirectory === undefined ? {} : { layerDirectory: given.layerDirectory }),
    timeoutSeconds: Number(properties['Timeout'] ?? DEFAULT_TIMEOUT_SECONDS),
    memoryMb: Number(properties['MemorySize'] ?? DEFAULT_MEMORY_MB),
    temporaryMb: storage?.Size ?? DEFAULT_TEMPORARY_MB,
    environment: { ...(resolve(variables) as Record<string, string>), ...given.environment },
  };
}
