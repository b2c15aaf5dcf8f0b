import { parseEvents, YAMLException } from 'js-yaml';
import type { Event } from 'js-yaml';

import type { Json } from '../model/resource.ts';
import { EventReader, YamlRefusal } from './read-events.ts';
import type { AliasBudget, YamlOptions } from './read-events.ts';

export interface YamlDocument {
  readonly value: Json;
  /** 1-based, of the document's first content. */
  readonly line: number;
  /** 1-based, of every item of a top-level `items`. */
  readonly itemLines: readonly number[];
  /** Comments in front of the content, without `#`, and after them those of empty documents right before it, nearest first. */
  readonly comment: string;
  /** Where a whole number lies that a double cannot hold exactly. */
  readonly inexact?: number;
}

/** What is wrong with a document. The message never quotes a value: it may stand in a Secret. */
export interface YamlFault {
  readonly line: number;
  readonly message: string;
  /** As of a document that can be read. */
  readonly comment: string;
}

type Parsed = ({ readonly ok: true } & YamlDocument) | ({ readonly ok: false } & YamlFault);

/**
 * Every document of a stream, each on its own: a broken one does not hide the others. Empty documents are left out.
 * Scalars are read as Kubernetes reads them, whatever a `%YAML` directive says. (js-yaml only takes the text apart: its
 * events keep offsets, bound nesting, and are several times faster than a syntax tree. What they mean is decided here.)
 */
export function parseYaml(text: string, options: YamlOptions): readonly Parsed[] {
  const chunks = splitDocuments(text);
  if (chunks.length > MAX_DOCUMENTS) {
    const message = `more than ${MAX_DOCUMENTS} documents: split the file`;
    return [{ ok: false, line: 1, message, comment: '' }];
  }
  const aliases = { weight: 0, most: options.limits.maxAliasWeight };
  let above = '';
  return chunks.flatMap((chunk): readonly Parsed[] => {
    const documents = parseChunk(chunk, aliases, options);
    const head = leadingComments(chunk.body);
    const [first, ...others] = documents;
    const comment = above === '' ? undefined : `${first?.comment ?? head}\n${above}`;
    above = first === undefined ? (comment ?? head) : '';
    return first === undefined || comment === undefined ? documents : [{ ...first, comment }, ...others];
  });
}

interface Chunk {
  readonly body: string;
  readonly firstLine: number;
}

function parseChunk(
  { body, firstLine }: Chunk,
  aliases: AliasBudget,
  options: YamlOptions,
): readonly Parsed[] {
  const lineAt = lineCounter(body, firstLine);
  const fault = (offset: number, message: string): readonly Parsed[] => [
    { ok: false, line: lineAt(offset), message, comment: leadingComments(body) },
  ];
  try {
    const events = parseEvents(body, { maxDepth: options.limits.maxDepth });
    return readDocuments({ body, events, aliases }, options, lineAt);
  } catch (error) {
    if (error instanceof YamlRefusal) return fault(error.offset, error.message);
    if (!(error instanceof YAMLException)) throw error;
    return fault(error.mark?.position ?? 0, syntaxMessage(error.reason));
  }
}

/** Offsets come in no order but mostly forward; one forward scan that starts anew when it has to go back. */
function lineCounter(body: string, firstLine: number): (offset: number) => number {
  // Something unclosed is noticed at the very end, on the line of the next separator; the last line with text says more.
  const last = Math.max(0, body.trimEnd().length - 1);
  let at = 0;
  let line = firstLine;
  let next = endOfLine(body, 0);
  return (offset) => {
    const end = Math.min(offset, last);
    if (end < at) {
      at = 0;
      line = firstLine;
      next = endOfLine(body, 0);
    }
    // The end is kept: a long line would be searched for it once for each of its values.
    for (; next < end; next = endOfLine(body, at)) {
      line += 1;
      at = next + 1;
    }
    return line;
  };
}

function endOfLine(body: string, from: number): number {
  const found = body.indexOf('\n', from);
  return found < 0 ? body.length : found;
}

/** More than any render may come to; each costs far more than its three dashes. */
const MAX_DOCUMENTS = 100_000;

/**
 * Splits where Kubernetes does, at lines that begin with `---`, which YAML allows nowhere else. Without it an unclosed
 * quote in one document would swallow all that follow.
 */
function splitDocuments(text: string): readonly Chunk[] {
  const starts = [0];
  for (const match of text.matchAll(/(?<=^|\n)---(?=[ \t\r\n]|$)/g))
    if (match.index > 0 && starts.push(match.index) > MAX_DOCUMENTS) break;
  const chunks: Chunk[] = [];
  let firstLine = 1;
  let directives = '';
  for (const [index, start] of starts.entries()) {
    const body = text.slice(start, starts[index + 1]);
    if (index === 0 && /^%/m.test(body) && body.split('\n').every((line) => /^\s*(?:[%#].*)?$/.test(line))) {
      directives = body;
    } else {
      chunks.push({ body: directives + body, firstLine: directives === '' ? firstLine : 1 });
      directives = '';
    }
    for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) firstLine += 1;
  }
  return chunks;
}

interface Events {
  readonly body: string;
  readonly events: readonly Event[];
  readonly aliases: AliasBudget;
}

function readDocuments(
  { body, events, aliases }: Events,
  options: YamlOptions,
  lineAt: (offset: number) => number,
): readonly Parsed[] {
  const documents: Parsed[] = [];
  let previous = 0;
  for (let at = 0; at < events.length; ) {
    const reader = new EventReader(body, events, at + 1, options, aliases);
    const start = reader.offset;
    const empty = reader.isEmpty();
    const { value } = reader.read(0);
    // Past the event that closes the document.
    at = reader.at + 1;
    if (empty) continue;
    documents.push({
      ok: true,
      value,
      line: lineAt(start),
      itemLines: reader.itemOffsets.map(lineAt),
      comment: commentsIn(body.slice(previous, start)),
      ...(reader.inexact === undefined ? {} : { inexact: lineAt(reader.inexact) }),
    });
    previous = start;
  }
  return documents;
}

/** Of a chunk, in front of anything else. */
function leadingComments(body: string): string {
  const comments: string[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf('\n', at);
    const line = body.slice(at, end < 0 ? body.length : end).trim();
    if (line.startsWith('#')) comments.push(line.slice(1));
    else if (line !== '' && line !== '---') break;
    at = end < 0 ? body.length : end + 1;
  }
  return comments.join('\n');
}

function commentsIn(text: string): string {
  const lines = text.slice(text.lastIndexOf('\n...') + 1).split('\n');
  return lines.flatMap((line) => /^\s*#(.*)$/.exec(line)?.[1] ?? []).join('\n');
}

/** A parser's message may quote the source, which may be a Secret's, so anything in quotes is cut. */
function syntaxMessage(reason: string): string {
  if (reason.includes('maxDepth')) return 'nested too deeply';
  return `not valid YAML: ${reason.replace(/(["'`]).*\1/gs, '…').slice(0, 200)}`;
}
