/** `count` ConfigMaps with a few keys each, one file per object, as both Holdfast and kubectl read them. */
export function configMapFiles(
  namespace: string,
  count: number,
  change?: { readonly index: number; readonly value: string },
): Record<string, string> {
  const files: Record<string, string> = {};
  for (let index = 0; index < count; index += 1) {
    const value = change?.index === index ? change.value : `value-${index}`;
    const name = `config-${String(index).padStart(5, '0')}`;
    files[`${name}.yaml`] = [
      'apiVersion: v1',
      'kind: ConfigMap',
      'metadata:',
      `  name: ${name}`,
      `  namespace: ${namespace}`,
      '  labels:',
      '    app.kubernetes.io/part-of: bench',
      'data:',
      `  value: ${value}`,
      `  url: https://service-${index}.example.com/path`,
      '  settings.properties: |',
      '    cache.size=128',
      '    cache.seconds=30',
      '',
    ].join('\n');
  }
  return files;
}

export function below(directory: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [`${directory}/${name}`, content]),
  );
}
