import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, sleep } from '../runtime/index.js'

/** Chromium writes it when its DevTools listen: the port, and the path with the guid of this very browser. */
const ACTIVE_PORT = 'DevToolsActivePort'
const LOOK_EVERY_MS = 15

/** Takes away what an earlier browser of the profile wrote; before a launch. */
export function forgetDevToolsAddress(profile: string): Promise<void> {
  return rm(join(profile, ACTIVE_PORT), { force: true })
}

/**
 * Waits until the browser of a profile says where its DevTools are.
 *
 * @returns `ws://127.0.0.1:<port>/devtools/browser/<guid>`: whoever connects to it reaches this browser, or nobody
 * @throws the signal's reason
 */
export async function readDevToolsAddress(profile: string, clock: Clock, signal: AbortSignal): Promise<string> {
  for (;;) {
    const address = parseActivePort(await readFile(join(profile, ACTIVE_PORT), 'utf8').catch(() => '')) // not written yet
    if (address !== null) return address
    await sleep(clock, LOOK_EVERY_MS, signal)
  }
}

/** Reads the file; null while it is not whole. Pure. */
export function parseActivePort(text: string): string | null {
  const [port = '', path = ''] = text.split('\n')
  return /^\d{1,5}$/.test(port) && /^\/devtools\/browser\/[\w-]{8,}$/.test(path) ? `ws://127.0.0.1:${port}${path}` : null
}
