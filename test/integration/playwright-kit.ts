import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findChromium, PlaywrightDriver, type PlaywrightDriverOptions } from '../../src/playwright/index.js'
import type { PlaywrightBrowser } from '../../src/playwright/playwright-browser.js'
import type { LaunchSpec, PageOperationOptions } from '../../src/sessions/ports.js'

/** Why tests with a real browser cannot run here; undefined when they can. */
export const missingBrowser: string | undefined = (() => {
  try {
    findChromium()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
})()

export const within = (timeoutMs = 5_000, signal = new AbortController().signal): PageOperationOptions => ({ timeoutMs, signal })

/** Defaults that a parsed action carries. */
export const parsed = { onFailure: 'abort', idempotent: true } as const

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A site on a loopback port: a page by path, or a handler. */
export async function startSite(pages: Readonly<Record<string, string | Handler>>) {
  const server = createServer((request, response) => {
    const page = pages[(request.url ?? '').replace(/\?.*/, '')]
    if (typeof page === 'function') return page(request, response)
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' })
    response.end(page ?? '<title>Not found</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { base, stop }
}

export interface Launched {
  readonly browser: PlaywrightBrowser
  readonly spec: LaunchSpec
  /** Ends the browser and removes its folder. */
  end(): Promise<void>
}

export async function createSpec(overrides: Partial<LaunchSpec> = {}): Promise<LaunchSpec> {
  const directory = await mkdtemp(join(tmpdir(), 'runwright-test-'))
  return {
    browserSessionId: 'bs_test',
    browserType: 'chromium',
    headless: true,
    viewport: { width: 1_000, height: 700 },
    launchArgs: [],
    env: {},
    directory,
    downloadsDirectory: join(directory, 'downloads'),
    ...overrides,
  }
}

export async function launchBrowser(options: PlaywrightDriverOptions = {}, overrides: Partial<LaunchSpec> = {}): Promise<Launched> {
  const spec = await createSpec(overrides)
  const browser = (await new PlaywrightDriver(options).launch(spec, within(20_000))) as PlaywrightBrowser
  const end = async () => {
    await browser.close(within(5_000))
    await rm(spec.directory, { recursive: true, force: true, maxRetries: 5 })
  }
  return { browser, spec, end }
}
