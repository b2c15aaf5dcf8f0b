/** JSON in which no YAML parser sees more than JSON does: what one of them takes for a line break or leaves out is escaped. */
export function jsonAsYaml(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
