import { type Clock, sleep } from '../runtime/index.js'
import { DevToolsClient } from './devtools-client.js'

/** A page that does not answer by then is closed, in milliseconds. */
const ANSWER_WITHIN_MS = 300
/** A page whose renderer hangs is gone some 550 ms after it was told to close. */
const GONE_WITHIN_MS = 3_000
const LOOK_EVERY_MS = 25

interface TargetInfo {
  readonly targetId: string
  readonly type: string
  readonly url: string
}

export interface CalmParams {
  readonly address: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Makes the pages of a running browser fit to be attached to: in each, an open dialog is closed, a script that does not yield is ended,
 * loading is stopped. One that does not answer within 300 ms is closed: attaching would wait for it for ever. That is the lot of a page
 * whose dialog opened while nobody was connected (Chromium lets nobody close it then), or whose script never yields (it can only be
 * interrupted by who was attached before).
 *
 * @returns addresses of the pages that were closed
 */
export async function calmPages({ address, clock, signal }: CalmParams): Promise<readonly string[]> {
  const client = await DevToolsClient.open(address, signal)
  const onAbort = () => client.close()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const pages = await pagesOf(client)
    const answered = await Promise.all(pages.map((page) => within(clock, ANSWER_WITHIN_MS, calm(client, page.targetId))))
    const silent = pages.filter((_page, index) => !answered[index])
    if (silent.length === 0) return []
    if (silent.length === pages.length) await client.send('Target.createTarget', { url: 'about:blank' }) // without a page it would end
    await Promise.all(silent.map((page) => client.send('Target.closeTarget', { targetId: page.targetId }).catch(() => {}))) // gone
    await within(clock, GONE_WITHIN_MS, untilGone(client, silent, clock))
    return silent.map((page) => page.url)
  } finally {
    signal.removeEventListener('abort', onAbort)
    client.close()
    signal.throwIfAborted()
  }
}

async function pagesOf(client: DevToolsClient): Promise<readonly TargetInfo[]> {
  const { targetInfos } = await client.send<{ targetInfos: readonly TargetInfo[] }>('Target.getTargets')
  return targetInfos.filter(({ type }) => type === 'page')
}

/** Resolves when the page answers. */
async function calm(client: DevToolsClient, targetId: string): Promise<void> {
  const { sessionId } = await client.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
  const tell = (method: string, params = {}) => client.send(method, params, sessionId).catch(() => {}) // there was none
  void tell('Page.enable')
  void tell('Page.handleJavaScriptDialog', { accept: false })
  void tell('Runtime.terminateExecution')
  void tell('Page.stopLoading')
  await tell('Runtime.evaluate', { expression: '0' }) // to have been ended instead is an answer too
  await tell('Target.detachFromTarget', { sessionId })
}

async function untilGone(client: DevToolsClient, silent: readonly TargetInfo[], clock: Clock): Promise<void> {
  const isLeft = async () => (await pagesOf(client)).some(({ targetId }) => silent.some((page) => page.targetId === targetId))
  while (await isLeft()) await sleep(clock, LOOK_EVERY_MS)
}

/** Whether it settled well in time. */
async function within(clock: Clock, ms: number, work: Promise<void>): Promise<boolean> {
  const over = new AbortController()
  const inTime = work.then(
    () => true,
    () => false,
  )
  const late = sleep(clock, ms, over.signal).then(
    () => false,
    () => false, // the work was faster
  )
  try {
    return await Promise.race([inTime, late])
  } finally {
    over.abort()
  }
}
