import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createHttpHandler, toNodeListener, viewerUrl } from '../../../src/http/index.js'

const handler = createHttpHandler({ streaming: { basePath: '/runwright', handleUpgrade: () => false } })
const get = (path: string, init?: RequestInit) => handler.fetch(new Request(`http://app.test${path}`, init))

describe('createHttpHandler', () => {
  it('serves the viewer page with a policy that allows its own server only', async () => {
    const page = await get('/runwright/sessions/bs_1/view')
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).not.toContain('unsafe')
    expect(page.headers.get('x-content-type-options')).toBe('nosniff')
    expect(page.headers.get('referrer-policy')).toBe('no-referrer')
    const html = await page.text()
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/)
  })

  it('serves every module that the page loads', async () => {
    const seen = new Set<string>()
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return
      seen.add(path)
      const answer = await get(path)
      expect(`${path} ${answer.status} ${answer.headers.get('content-type')}`).toBe(`${path} 200 text/javascript; charset=utf-8`)
      const source = await answer.text()
      for (const [, target] of source.matchAll(/^(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]/gm)) {
        if (target) await visit(new URL(target, `http://app.test${path}`).pathname)
      }
    }
    await visit('/runwright/viewer/viewer.js')
    expect(seen.size).toBeGreaterThan(30)
    expect((await get('/runwright/viewer/viewer.css')).headers.get('content-type')).toBe('text/css; charset=utf-8')
  })

  it.each([
    '/runwright/novnc/package.json',
    '/runwright/novnc/README.md',
    '/runwright/novnc/core/../package.json',
    '/runwright/novnc/core/..%2f..%2f..%2fws/lib/websocket.js',
    '/runwright/novnc/core/%2e%2e/%2e%2e/ws/lib/websocket.js',
    '/runwright/novnc/core//rfb.js',
    '/runwright/novnc/core/.rfb.js',
    '/runwright/novnc/core/',
    '/runwright/novnc/core/util',
    '/runwright/novnc/core/rfb.js%00.js',
    '/runwright/viewer/../../http-handler.js',
    '/runwright/viewer/..%5cindex.html',
    '/runwright/viewer/',
    '/runwright/sessions/a%2fb/view',
    '/runwright/sessions/bs_1/view/',
    '/runwright',
    '/other/viewer/viewer.js',
    '/viewer/viewer.js',
  ])('has nothing at %s', async (path) => {
    const answer = await get(path)
    expect(answer.status).toBe(404)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('answers HEAD, knows what has not changed, and takes nothing else', async () => {
    const path = '/runwright/viewer/viewer.js'
    const head = await get(path, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const etag = head.headers.get('etag') ?? ''
    expect((await get(path, { headers: { 'if-none-match': etag } })).status).toBe(304)
    const post = await get(path, { method: 'POST', body: 'x' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

describe('viewerUrl', () => {
  it('keeps the token in the fragment', () => {
    const url = new URL(viewerUrl({ origin: 'https://app.test/', browserSessionId: 'bs_1', token: 'secret' }))
    expect(url.href).toBe('https://app.test/runwright/sessions/bs_1/view#token=secret')
    expect(url.pathname + url.search).not.toContain('secret')
  })
})

describe('toNodeListener', () => {
  async function answer(listener: Parameters<typeof createServer>[1], path: string, headers: Record<string, string> = {}) {
    const server = createServer(listener as never).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const request = httpRequest({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', path, headers })
      request.end()
      const [response] = await once(request, 'response')
      let body = ''
      for await (const chunk of response) body += chunk
      return { status: response.statusCode, headers: response.headers, body }
    } finally {
      server.close()
    }
  }

  it('answers over node:http', async () => {
    const page = await answer(toNodeListener(handler), '/runwright/sessions/bs_1/view')
    expect(page).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'referrer-policy': 'no-referrer' } })
    expect(page.body).toContain('viewer.js')
    expect(await answer(toNodeListener(handler), '/elsewhere')).toMatchObject({ status: 404 })
  })

  it('hands what is not ours to the next one', async () => {
    const listener = toNodeListener(handler)
    const mounted = (request: never, response: { end(text: string): void }) =>
      listener(request, response as never, () => response.end('next'))
    expect((await answer(mounted as never, '/elsewhere')).body).toBe('next')
    expect((await answer(mounted as never, '/runwright/viewer/viewer.css')).status).toBe(200)
  })

  it('survives requests that make no address', async () => {
    expect((await answer(toNodeListener(handler), '*')).status).toBe(400)
    expect((await answer(toNodeListener(handler), '/', { host: 'not a host' })).status).toBe(400)
  })

  it('answers 500 when the handler fails', async () => {
    const broken = toNodeListener({ ...handler, fetch: () => Promise.reject(new Error('broken')) })
    expect((await answer(broken, '/runwright/viewer/viewer.js')).status).toBe(500)
  })
})
