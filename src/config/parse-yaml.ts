import { Composer, type CST, type Document, Lexer, LineCounter, Parser } from 'yaml';
import type { Problem } from './problems.ts';
import { decodeUtf8 } from './read-file.ts';
import type { Mark, SourceFile, SourceNode } from './source.ts';
import { type ConvertedDocument, sourceFromDocument } from './source-from-document.ts';
import { depthOf, flowDepthOf } from './yaml-depth.ts';
import { explainYamlError } from './yaml-errors.ts';

const MAX_TOKENS = 250_000;
const MAX_DEPTH = 64;

/**
 * Reads the bytes of one YAML file. Anchors and aliases work; several documents, duplicate keys, tags other than
 * those of the core schema and roots that are no map are problems. An empty file is an empty map.
 */
export function parseYaml(bytes: Uint8Array, file: SourceFile): ConvertedDocument {
  const start: Mark = { file, line: 1, column: 1 };
  const root: SourceNode = { kind: 'map', mark: start, size: 1, entries: new Map() };
  const text = decodeUtf8(bytes);
  if (text === undefined) {
    const problem: Problem = { at: start, path: [], text: 'expected UTF-8 text, found other bytes' };
    return { root, problems: [problem], complete: false };
  }
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const markAt = (offset: number): Mark => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const parsed = parseText(text);
  if ('document' in parsed) return sourceFromDocument(parsed.document, markAt, root);
  const problems = parsed.map(({ offset, text }) => ({ at: markAt(offset), path: [], text }));
  return { root, problems, complete: false };
}

interface Fault {
  readonly offset: number;
  readonly text: string;
}

/** The one document of a text, undefined where the text holds none, or what is wrong with it. */
function parseText(text: string): { readonly document: Document.Parsed | undefined } | readonly Fault[] {
  const control = text.search(FORBIDDEN);
  if (control >= 0) {
    const code = text.charCodeAt(control).toString(16).toUpperCase().padStart(4, '0');
    return [{ offset: control, text: `expected text, found the control character U+${code}` }];
  }
  const flowDepth = flowDepthOf(new Lexer().lex(text), MAX_TOKENS);
  if (flowDepth === 'too-long') return [{ offset: 0, text: `expected at most ${MAX_TOKENS} YAML tokens` }];
  const tokens = flowDepth > MAX_DEPTH ? [] : [...new Parser().parse(text)];
  if (flowDepth > MAX_DEPTH || depthOf(tokens) > MAX_DEPTH) {
    return [{ offset: 0, text: `expected at most ${MAX_DEPTH} levels of nesting` }];
  }
  const [document, extra] = compose(tokens, text.length);
  if (extra !== undefined) {
    return [{ offset: extra.range[0], text: 'expected one YAML document in the file, found several' }];
  }
  const faults = document === undefined ? [] : [...document.errors, ...document.warnings];
  if (faults.length === 0) return { document };
  return faults.map(({ code, pos }) => ({ offset: pos[0], text: explainYamlError(code) }));
}

// The characters YAML 1.2 allows nowhere in a file (section 5.1), NUL first of all.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

function compose(tokens: CST.Token[], length: number): Document.Parsed[] {
  // Duplicate keys are found later: the parser's own check takes time quadratic in the keys of a map.
  const options = { uniqueKeys: false, stringKeys: true, resolveKnownTags: false } as const;
  return [...new Composer(options).compose(tokens, true, length)];
}
