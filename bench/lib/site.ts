import type { BenchContext } from './area.js'
import type { SiteWorker } from './site-worker.js'
import { Worker } from './worker.js'

/** A small site on a port of 127.0.0.1, in a process of its own: what answers does not take part in what is measured. Gives its address. */
export function sharedSite(context: BenchContext): Promise<string> {
  return context.share('site', async () => {
    const worker = new Worker<SiteWorker>(new URL('./site-worker.ts', import.meta.url))
    return { value: await worker.call('start', undefined as never), close: () => worker.end() }
  })
}
