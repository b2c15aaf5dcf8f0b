import record from './builtin-schema.json' with { type: 'json' };
import { anyAtomic, type Atom, listOf, type MapAtom, mapOf, scalar, type TypeRef } from './atom.ts';

interface StructRecord {
  readonly fields: Readonly<Record<string, string>>;
  readonly required?: readonly string[];
  readonly atomic?: boolean;
  readonly patchKeys?: Readonly<Record<string, string>>;
}

const structs = record.types as Readonly<Record<string, StructRecord>>;
const kinds = record.kinds as Readonly<Record<string, string>>;
const atoms = new Map<string, Atom>();

const SCALARS: Readonly<Record<string, TypeRef>> = {
  s: scalar('string'),
  n: scalar('number'),
  b: scalar('boolean'),
  q: scalar('quantity'),
  u: scalar('untyped'),
  j: anyAtomic,
};

/** The schema of a built-in kind. @throws Error when the table has no such kind: a mistake in served-types.ts. */
export function builtinSchema(apiVersion: string, kind: string): TypeRef {
  const name = kinds[`${apiVersion}/${kind}`];
  if (name === undefined) throw new Error(`no schema recorded for ${apiVersion} ${kind}`);
  return struct(name);
}

/** ObjectMeta, which custom resources share with the built-in kinds. */
export function metadataSchema(): TypeRef {
  return struct('apis.meta.v1.ObjectMeta');
}

function struct(name: string): TypeRef {
  return () => {
    const known = atoms.get(name);
    if (known !== undefined) return known;
    const definition = structs[name];
    if (definition === undefined) throw new Error(`no struct recorded: ${name}`);
    const atom: MapAtom = {
      kind: 'map',
      name,
      atomic: definition.atomic === true,
      fields: new Map(
        Object.entries(definition.fields).map(([field, type]) => [
          field,
          parseType(type, definition.patchKeys?.[field]),
        ]),
      ),
      required: new Set(definition.required),
    };
    atoms.set(name, atom);
    return atom;
  };
}

/** The little language of builtin-schema.json: `s`, `#struct`, `[map name]#struct`, `[set]s`, `[]s` (atomic), `{}q`. */
function parseType(type: string, patchKey: string | undefined): TypeRef {
  if (type.startsWith('#')) return struct(type.slice(1));
  const bracket = /^[[{](.*?)[\]}](.*)$/.exec(type);
  if (bracket === null) {
    const found = SCALARS[type];
    if (found === undefined) throw new Error(`builtin-schema.json: unknown type "${type}"`);
    return found;
  }
  const [, relation = '', element = ''] = bracket;
  const elementType = parseType(element, undefined);
  if (type.startsWith('{')) return mapOf(elementType, relation === 'atomic');
  if (relation.startsWith('map ')) return listOf(elementType, 'map', relation.slice(4).split(','), patchKey);
  return listOf(elementType, relation === 'set' ? 'set' : 'atomic', [], patchKey);
}
