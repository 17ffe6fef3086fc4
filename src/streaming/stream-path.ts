/** The live view that an address names. */
export interface LocatedStream {
  readonly browserSessionId: string
  readonly query: URLSearchParams
}

const SESSION_STREAM = /^\/sessions\/([A-Za-z0-9_-]{1,128})\/stream$/

/** Reads `<basePath>/sessions/<id>/stream?…`; undefined: the address is not ours. */
export function locateStream(url: string, basePath: string): LocatedStream | undefined {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  if (!path.startsWith(`${basePath}/`)) return undefined
  const browserSessionId = SESSION_STREAM.exec(path.slice(basePath.length))?.[1]
  return browserSessionId === undefined ? undefined : { browserSessionId, query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) }
}
