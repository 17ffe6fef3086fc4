/** Names that Windows keeps for devices. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i
const MIME_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*(; ?[a-z0-9-]+=[a-z0-9._"-]+)*$/i
/** Control characters, and those that change the direction of writing: `gpj.exe` shown backwards. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Cs}]/gu

/** A file name as a site gave it, made harmless: no path, no control characters, at most 120 characters with its extension; `file` where nothing is left. */
export function safeFilename(given: string): string {
  const base = given.replace(UNPRINTABLE, '').split(/[/\\]/).at(-1) ?? ''
  const cleaned = base
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^[\s.]+/, '')
    .replace(/[\s.]+$/, '')
  if (cleaned === '') return 'file'
  const named = RESERVED.test(cleaned) ? `_${cleaned}` : cleaned
  const extension = /\.[^.\s]{1,16}$/.exec(named)?.[0] ?? ''
  const stem = [...named.slice(0, named.length - extension.length)].slice(0, 120 - extension.length).join('')
  return stem + extension
}

/** A MIME type that can stand in a header; `application/octet-stream` for anything else. */
export function safeMimeType(given: string): string {
  return given.length <= 200 && MIME_TYPE.test(given) ? given : 'application/octet-stream'
}

/** An id as a segment of an artifact key; different ids stay different, up to 120 characters. */
export function keySegment(id: string): string {
  const safe = id.replace(/[^A-Za-z0-9_-]/gu, (character) => `~${character.codePointAt(0)?.toString(16)}~`)
  return safe === '' ? '~' : safe.slice(0, 120)
}
