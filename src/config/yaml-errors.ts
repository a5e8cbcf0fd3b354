import type { ErrorCode } from 'yaml';

/**
 * What is wrong, in words, for each code of the `yaml` package. Its own messages are not used: they quote the
 * file, and what they quote may be a secret.
 */
const EXPLANATIONS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias takes no anchor and no tag of its own',
  BAD_ALIAS: 'expected the name of an anchor here',
  BAD_COLLECTION_TYPE: 'this tag does not fit the value',
  BAD_DIRECTIVE: 'this % directive is not known',
  BAD_DQ_ESCAPE: 'this escape in a quoted string is not known; a backslash is written \\\\',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_PROP_ORDER: 'anchors and tags come before the value and after its "?", ":" or "-"',
  BAD_SCALAR_START: 'a plain value cannot start with this character; put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a value cannot follow here; check the indentation, and quote values that hold ": "',
  BLOCK_IN_FLOW: 'a list or map by indentation cannot stand inside brackets',
  DUPLICATE_KEY: 'duplicate key',
  IMPOSSIBLE: 'not valid YAML',
  KEY_OVER_1024_CHARS: 'a key is at most 1024 characters long',
  MISSING_CHAR: 'a closing quote or bracket, a comma, a colon or a space is missing here',
  MULTIPLE_ANCHORS: 'a value has at most one anchor',
  MULTIPLE_DOCS: 'expected one YAML document in the file, found several',
  MULTIPLE_TAGS: 'a value has at most one tag',
  MULTILINE_IMPLICIT_KEY: 'a key stands on one line; check for a missing ":" or quote above',
  NON_STRING_KEY: 'a key is plain text',
  RESOURCE_EXHAUSTION: 'the nesting is too deep',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'this tag is not supported here, or its value does not fit it',
  UNEXPECTED_TOKEN: 'this cannot stand here; check quotes, brackets and the indentation',
};

/** A problem of YAML syntax in words that quote nothing of the file. */
export function explainYamlError(code: ErrorCode): string {
  return EXPLANATIONS[code] ?? 'not valid YAML';
}
