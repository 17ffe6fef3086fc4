import { securityHeaders } from './security-headers.js'
import { type StaticFile, StaticFolder } from './static-folder.js'
import { noVncFolder, viewerFolder } from './viewer-files.js'

const SESSION_VIEW = /^\/sessions\/[A-Za-z0-9_-]{1,128}\/view$/
const VIEWER_FILE = /^\/viewer\/(?<path>[^/]+)$/
/** Of noVNC nothing but its modules. */
const NOVNC_FILE = /^\/novnc\/(?<path>(?:core|vendor)\/.+\.js)$/

/** The viewer page with its files, and noVNC's modules: the same for everybody, so no token is asked for. */
export class ViewerRoutes {
  readonly #viewer = new StaticFolder(viewerFolder)
  readonly #noVnc = new StaticFolder(noVncFolder)

  /** Undefined: no route of the viewer. `path` is below the base path. */
  async answer(request: Request, path: string): Promise<Response | undefined> {
    const file = await this.#find(path)
    if (file === undefined) return undefined
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return new Response(null, { status: 405, headers: { ...securityHeaders, allow: 'GET, HEAD' } })
    }
    const headers = { ...securityHeaders, 'content-type': file.contentType, 'cache-control': 'no-cache', etag: file.etag }
    if (request.headers.get('if-none-match') === file.etag) return new Response(null, { status: 304, headers })
    return new Response(request.method === 'HEAD' ? null : file.bytes, {
      headers: { ...headers, 'content-length': String(file.bytes.byteLength) },
    })
  }

  async #find(path: string): Promise<StaticFile | undefined> {
    if (SESSION_VIEW.test(path)) return this.#viewer.read('index.html')
    const viewerPath = VIEWER_FILE.exec(path)?.groups?.path
    if (viewerPath !== undefined) return this.#viewer.read(viewerPath)
    const noVncPath = NOVNC_FILE.exec(path)?.groups?.path
    return noVncPath === undefined ? undefined : this.#noVnc.read(noVncPath)
  }
}
