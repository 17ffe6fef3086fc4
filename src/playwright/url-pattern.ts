/**
 * Whether an address fits the pattern of a `wait_for`: what `matchesUrl` of `definition/` says, of which this folder may use types only;
 * a test holds the two together.
 */
export function fitsUrlPattern(pattern: string, url: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return url.includes(pattern)
  if (!url.startsWith(first)) return false
  let position = first.length
  for (const part of rest) {
    const found = url.indexOf(part, position)
    if (found === -1) return false
    position = found + part.length
  }
  return position + last.length <= url.length && url.endsWith(last)
}
