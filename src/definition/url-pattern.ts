/**
 * Whether an address fits the pattern of a `wait_for`, `assert` or `switch_tab` action: a pattern with `*` must match the whole
 * address, each `*` standing for any run of characters; one without must be contained in it.
 */
export function matchesUrl(pattern: string, url: string): boolean {
  if (!pattern.includes('*')) return url.includes(pattern)
  const parts = pattern.split('*')
  const first = parts[0] ?? ''
  const last = parts[parts.length - 1] ?? ''
  if (!url.startsWith(first) || !url.endsWith(last) || url.length < first.length + last.length) return false
  // Each part at its first place leaves the most room for the others: no backtracking is needed.
  let position = first.length
  for (const part of parts.slice(1, -1)) {
    const found = url.indexOf(part, position)
    if (found === -1) return false
    position = found + part.length
  }
  return position + last.length <= url.length
}
