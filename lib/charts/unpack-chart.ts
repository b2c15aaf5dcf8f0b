import { Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { HoldfastError } from '../model/errors.ts';
import { parseYaml } from '../render/parse-yaml.ts';
import type { FileTree } from '../source/file-tree.ts';
import { chartFailure, tooLarge } from './chart-errors.ts';
import { MEBIBYTE, type ChartLimits } from './chart-limits.ts';

/** A chart's files, and what its Chart.yaml calls it. */
export interface UnpackedChart {
  readonly name: string;
  readonly version: string;
  readonly files: FileTree;
}

type UnpackLimits = Pick<Required<ChartLimits>, 'maxFileBytes' | 'maxFiles' | 'maxUnpackedBytes'>;

const MAX_PATH_BYTES = 1_024;
const MAX_SEGMENT_BYTES = 255;
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * The files of a packed chart, in memory. Nothing of the archive reaches a disk here, and nothing that could lead out of
 * a directory is let through: links, devices, absolute paths and `..` are refused rather than passed over.
 * @throws HoldfastError `chart-corrupt`, `chart-refused`, `chart-too-large`
 */
export async function unpackChart(
  archive: Buffer,
  limits: UnpackLimits,
  place: string,
): Promise<UnpackedChart> {
  const contents = await readArchive(archive, limits, place);
  const paths = [...contents.keys()].sort();
  assertTree(paths, contents, place);
  const { name, version } = readChartYaml(contents.get('Chart.yaml'), place);
  return { name, version, files: { paths, read: (path) => contents.get(path) } };
}

async function readArchive(
  archive: Buffer,
  limits: UnpackLimits,
  place: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  const directories = new Set<string>();
  let entries = 0;
  // Its types do not know the option. Archives older than POSIX tar are read by helm, too.
  const entriesOf = extract({ allowUnknownFormat: true } as Parameters<typeof extract>[0]);
  const unzipped = Readable.from([archive]).pipe(createGunzip());
  const counted = unzipped.pipe(countBytes(limits.maxUnpackedBytes, place));
  // Each stream of the chain ends the next: pipe() alone passes on no errors.
  unzipped.on('error', (error) => counted.destroy(error));
  counted.on('error', (error) => entriesOf.destroy(error));
  counted.pipe(entriesOf);
  try {
    for await (const entry of entriesOf) {
      entries += 1;
      if (entries > limits.maxFiles) {
        throw chartFailure(
          'chart-too-large',
          place,
          `it has more than ${limits.maxFiles} files, the limit maxFiles`,
        );
      }
      const { header } = entry;
      assertKind(header, place);
      const [top = '', ...segments] = segmentsOf(header.name, place);
      directories.add(top);
      if (header.type === 'directory') {
        if (header.size > 0)
          throw chartFailure('chart-corrupt', place, `the directory ${quoted(header.name)} has content`);
        entry.resume();
        continue;
      }
      const path = segments.join('/');
      if (path === '')
        throw chartFailure('chart-refused', place, `${quoted(top)} lies outside of its directory`);
      if (contents.has(path)) throw chartFailure('chart-refused', place, `${quoted(path)} is in it twice`);
      if (header.size > limits.maxFileBytes) {
        throw tooLarge(place, `its file ${quoted(path)}`, limits.maxFileBytes, 'maxFileBytes');
      }
      contents.set(path, await readEntry(entry as AsyncIterable<Uint8Array>));
    }
  } catch (error) {
    throw unpackError(error, place);
  } finally {
    unzipped.destroy();
    counted.destroy();
    entriesOf.destroy();
  }
  if (directories.size > 1) {
    const found = [...directories].slice(0, 3).map(quoted).join(', ');
    throw chartFailure('chart-refused', place, `it has more than one directory at its top: ${found}`);
  }
  return contents;
}

async function readEntry(entry: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Counted before tar looks at it: headers may be as many as files. */
function countBytes(maxBytes: number, place: string): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      size += chunk.length;
      if (size > maxBytes) callback(tooLarge(place, 'the chart, unpacked,', maxBytes, 'maxUnpackedBytes'));
      else callback(null, chunk);
    },
  });
}

function assertKind(header: Header, place: string): void {
  if (header.type === 'file' || header.type === 'directory') return;
  const kind: string | null = header.type;
  throw chartFailure(
    'chart-refused',
    place,
    `${quoted(header.name)} is neither a file nor a directory (${kind ?? 'of an unknown kind'}): package the chart with "helm package"`,
  );
}

function segmentsOf(name: string, place: string): readonly string[] {
  const refuse = (what: string) => chartFailure('chart-refused', place, `${quoted(name)} ${what}`);
  if (name.startsWith('/')) throw refuse('is an absolute path');
  if (name.includes('\\')) throw refuse('has a backslash in its path');
  if (CONTROL.test(name) || name.includes('\ufffd')) throw refuse('has characters that no path needs');
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) throw refuse('leads out of the chart');
  const isLong =
    Buffer.byteLength(name) > MAX_PATH_BYTES ||
    segments.some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT_BYTES);
  if (isLong) throw refuse('is too long a path');
  return segments;
}

/** No file lies below another file. */
function assertTree(
  paths: readonly string[],
  contents: ReadonlyMap<string, Uint8Array>,
  place: string,
): void {
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (contents.has(parent)) {
        throw chartFailure('chart-refused', place, `${quoted(parent)} is both a file and a directory`);
      }
    }
  }
}

function readChartYaml(
  content: Uint8Array | undefined,
  place: string,
): { readonly name: string; readonly version: string } {
  if (content === undefined) throw chartFailure('chart-corrupt', place, 'it has no Chart.yaml');
  if (content.length > MEBIBYTE)
    throw chartFailure('chart-too-large', place, 'its Chart.yaml is larger than 1 MiB');
  const [document] = parseYaml(Buffer.from(content).toString('utf8'), {
    limits: { maxDepth: 50, maxAliasWeight: MEBIBYTE },
    // Helm takes the last of two equal keys.
    uniqueKeys: false,
  });
  if (document?.ok !== true) {
    const why = document === undefined ? 'it is empty' : `line ${document.line}: ${document.message}`;
    throw chartFailure('chart-corrupt', place, `its Chart.yaml cannot be read (${why})`);
  }
  const { name, version } = (document.value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof version !== 'string') {
    throw chartFailure('chart-corrupt', place, 'its Chart.yaml has no name or no version');
  }
  return { name, version };
}

/** What zlib and the tar reader say is about bytes, and may quote them. */
function unpackError(error: unknown, place: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const detail = typeof code === 'string' ? ` (${code})` : '';
  return chartFailure('chart-corrupt', place, `the archive cannot be unpacked${detail}`);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
