const FALSE_WORDS: ReadonlySet<string> = new Set(['', 'false', '0', 'no', 'n', 'off', 'null', 'none'])
const TRUE_WORDS: ReadonlySet<string> = new Set(['true', '1', 'yes', 'y', 'on'])
const NUMBER = /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/

/**
 * Reads a rendered text as a condition, trimmed and in any case: blank, `false 0 no n off null none` are false;
 * `true 1 yes y on` true; a number is true unless it is zero; any other text is true.
 */
export function isTruthyText(text: string): boolean {
  const word = text.trim().toLowerCase()
  if (FALSE_WORDS.has(word)) return false
  if (TRUE_WORDS.has(word)) return true
  return NUMBER.test(word) ? Number(word) !== 0 : true
}
