/** The separators of a language, from the platform's own tables. */
function separatorsOf(language: string | undefined): { readonly decimal: string; readonly isKnown: boolean } {
  if (language === undefined || language === '') return { decimal: '.', isKnown: false }
  try {
    const parts = new Intl.NumberFormat(language).formatToParts(1.5)
    return { decimal: parts.find((part) => part.type === 'decimal')?.value ?? '.', isKnown: true }
  } catch {
    return { decimal: '.', isKnown: false } // a page may say anything in its lang attribute
  }
}

/**
 * Reads the one number in a text, with whatever separators: `1,234.56`, `1.234,56 €`, `1 234,56`, `1'234.56`, `−5`, `(12.50)`, `12.5%`.
 * A single separator before exactly three digits (`1.234`) means what it means in the page's language; without one, English is taken.
 *
 * @param language - the page's language, for example `de-DE`
 * @returns null where the text holds no number, or more than one
 */
export function parseNumber(text: string, language?: string): number | null {
  const numbers = text.match(/\d(?:[\d.,'’٫٬\s]*\d)?|[.,]\d+/gu) ?? []
  const [digits] = numbers
  if (digits === undefined || numbers.length > 1) return null
  const plain = normalize(digits.replaceAll('٫', '.').replaceAll('٬', ','), separatorsOf(language).decimal)
  if (plain === null) return null
  const before = text.slice(0, text.indexOf(digits)).trimEnd()
  const isNegative = /[-−–](?:\p{Sc}|[A-Z]{3})?\s*$/u.test(before) || (before.endsWith('(') && text.trimEnd().endsWith(')'))
  const exponent = /^[eE][+-]?\d+/.exec(text.slice(text.indexOf(digits) + digits.length))
  if (exponent !== null) return null
  const value = Number(plain)
  return Number.isFinite(value) ? (isNegative ? -value : value) : null
}

/** With a point for the decimals and nothing between the thousands; null where the groups do not fit. */
function normalize(digits: string, languageDecimal: string): string | null {
  const compact = digits.replaceAll(/[\s'’]/gu, (separator) => (separator === '’' ? "'" : separator === "'" ? "'" : ' '))
  const points = count(compact, '.')
  const commas = count(compact, ',')
  const decimal = decimalOf(compact, points, commas, languageDecimal)
  const [whole = '', fraction = '', ...rest] = decimal === null ? [compact] : compact.split(decimal)
  if (rest.length > 0 || !/^\d*$/.test(fraction)) return null
  const groups = whole.split(/[.,' ]/)
  const isGrouped = groups.length > 1
  const [first = '', ...others] = groups
  // Two digits are a group in India (12,34,567); the last group always has three.
  if (isGrouped && (first.length > 3 || first === '' || others.at(-1)?.length !== 3 || others.some((group) => !/^\d{2,3}$/.test(group))))
    return null
  return `${groups.join('') || '0'}.${fraction || '0'}`
}

function decimalOf(text: string, points: number, commas: number, languageDecimal: string): string | null {
  if (points > 0 && commas > 0) return text.lastIndexOf('.') > text.lastIndexOf(',') ? '.' : ','
  if (points + commas === 0) return null
  if (points + commas > 1) return null // thousands: 1.234.567
  const separator = points === 1 ? '.' : ','
  const [whole = '', fraction = ''] = text.split(separator)
  const looksGrouped = fraction.length === 3 && /^[1-9]\d{0,2}$/.test(whole)
  if (!looksGrouped) return separator
  return separator === languageDecimal ? separator : null
}

const count = (text: string, part: string) => text.split(part).length - 1
