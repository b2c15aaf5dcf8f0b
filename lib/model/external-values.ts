import type { Application, ExternalValue } from './application.ts';

/** The namespace in which a ConfigMap or Secret is looked up when the definition names none. */
export function valuesNamespace(value: ExternalValue, application: Application): string {
  return value.namespace ?? application.targetNamespace ?? 'default';
}

/**
 * Under which `RenderInput.values` holds what an external value names: `SecretsManager/<name>`, or
 * `ConfigMap/<namespace>/<name>` and `Secret/<namespace>/<name>` of the destination. Neither part can hold a slash where
 * it counts: namespaces and names of Kubernetes have none, and of Secrets Manager there is one part only.
 */
export function externalKey(value: ExternalValue, application: Application): string {
  return value.kind === 'SecretsManager'
    ? `SecretsManager/${value.name}`
    : `${value.kind}/${valuesNamespace(value, application)}/${value.name}`;
}

/**
 * What a render needs from outside of Git, each once, in the order of the definition: helm's valuesFrom, then those of
 * substitution. Asked for twice, it is optional only if it is so in both places.
 */
export function externalValuesOf(application: Application): readonly ExternalValue[] {
  const { helm, substitute } = application.render;
  const wanted = new Map<string, ExternalValue>();
  for (const { kind, name, namespace, optional } of [
    ...(helm?.valuesFrom ?? []),
    ...(substitute?.from ?? []),
  ]) {
    const value: ExternalValue = {
      kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(optional === true ? { optional } : {}),
    };
    const key = externalKey(value, application);
    const before = wanted.get(key);
    if (before === undefined || (before.optional === true && optional !== true)) wanted.set(key, value);
  }
  return [...wanted.values()];
}

/** For people: `ConfigMap shop/cluster-vars`, `secret "web" of Secrets Manager`. */
export function describeValue(value: ExternalValue, application: Application): string {
  return describeKey(externalKey(value, application));
}

/** The same, of an externalKey. */
export function describeKey(key: string): string {
  const slash = key.indexOf('/');
  const [kind, rest] = [key.slice(0, slash), key.slice(slash + 1)];
  return kind === 'SecretsManager' ? `secret "${rest}" of Secrets Manager` : `${kind} ${rest}`;
}
