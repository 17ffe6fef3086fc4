import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from './worker.js'

const SCRIPTS = 100
const PICTURES = 100

const html = (body: string) => `<!doctype html><title>Bench</title><link rel="icon" href="data:,">${body}`

/** Two buttons that count their clicks, so that a click has an effect, as on a page of its kind. */
const BUTTONS = html(`
  <button id="a" onclick="this.textContent = 'A ' + ++a">A 0</button>
  <button id="b" onclick="this.textContent = 'B ' + ++b">B 0</button>
  <script>let a = 0, b = 0</script>`)

const range = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, index) => line(index)).join('\n')

/** As many sub-resources as a large page has. */
const HEAVY = html(
  range(SCRIPTS, (index) => `<script async src="/script-${index}.js"></script>`) +
    range(PICTURES, (index) => `<img width="4" height="4" alt="" src="/picture-${index}.svg">`),
)

const FIELDS = html(range(40, (index) => `<button id="field-${index}">Field number ${index}</button>`))

const PAGES: Readonly<Record<string, string>> = { '/': BUTTONS, '/heavy': HEAVY, '/fields': FIELDS }
const SCRIPT = `void ${JSON.stringify('x'.repeat(4_000))}`
const PICTURE = `<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><desc>${'x'.repeat(2_000)}</desc></svg>`

const server = createServer((request, response) => {
  const path = request.url ?? '/'
  const send = (type: string, body: string) => {
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  }
  const page = PAGES[path]
  if (page !== undefined) return send('text/html', page)
  if (path.startsWith('/script-')) return send('text/javascript', SCRIPT)
  if (path.startsWith('/picture-')) return send('image/svg+xml', PICTURE)
  response.writeHead(404).end()
})

const handlers = {
  /** Gives the site's address. */
  start(): Promise<string> {
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    })
  },
}

export type SiteWorker = typeof handlers

serve(handlers)
