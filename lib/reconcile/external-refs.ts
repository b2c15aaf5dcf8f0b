import type { ResourceRef } from '../cluster/kube-api.ts';
import type { Application, ExternalValue } from '../model/application.ts';
import type { LiveMetadata } from '../model/resource.ts';
import { externalKey, externalValuesOf, valuesNamespace } from '../model/external-values.ts';

/** One thing that a render needs from outside of Git. */
export interface NeededValue {
  /** As in `RenderInput.values`. */
  readonly key: string;
  readonly value: ExternalValue;
  /** Where it is in the destination; absent for Secrets Manager. */
  readonly ref?: ResourceRef;
}

export function neededValues(application: Application): readonly NeededValue[] {
  return externalValuesOf(application).map((value) => {
    const key = externalKey(value, application);
    if (value.kind === 'SecretsManager') return { key, value };
    return {
      key,
      value,
      ref: {
        type: {
          group: '',
          version: 'v1',
          kind: value.kind,
          resource: `${value.kind.toLowerCase()}s`,
          namespaced: true,
          verbs: ['get'],
        },
        namespace: valuesNamespace(value, application),
        name: value.name,
      },
    };
  });
}

/** Another object of the same name is another version. */
export function versionOfObject({ metadata }: Pick<LiveMetadata, 'metadata'>): string {
  return `${metadata.uid}/${metadata.resourceVersion}`;
}

/** Under which the version of the age identities is recorded. */
export function decryptionKey(name: string): string {
  return `decryption/${name}`;
}
