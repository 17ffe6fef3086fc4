// What the benchmarks use of the peers. They are installed on first use only, and their own types want packages that are not installed.

declare module '@crawlee/browser-pool' {
  export abstract class BrowserPlugin {
    constructor(library: unknown, options?: object)
    readonly library: unknown
    protected abstract _launch(): Promise<unknown>
    protected abstract _createController(): BrowserController
    protected abstract _addProxyToLaunchOptions(): Promise<void>
    protected abstract _isChromiumBasedBrowser(): boolean
  }

  export abstract class BrowserController {
    constructor(plugin: BrowserPlugin)
    readonly browser: unknown
    activePages: number
    protected abstract _newPage(): Promise<unknown>
    protected abstract _close(): Promise<void>
    protected abstract _kill(): Promise<void>
    protected abstract _getCookies(): Promise<unknown[]>
    protected abstract _setCookies(): Promise<void>
    abstract normalizeProxyOptions(): object
  }

  export interface PoolPage {
    close(): Promise<void>
  }

  export class BrowserPool {
    constructor(options: {
      browserPlugins: BrowserPlugin[]
      useFingerprints?: boolean
      maxOpenPagesPerBrowser?: number
      retireBrowserAfterPageCount?: number
    })
    newPage(): Promise<PoolPage>
    destroy(): Promise<void>
  }
}

declare module 'puppeteer-cluster' {
  export class Cluster {
    static readonly CONCURRENCY_CONTEXT: number
    static readonly CONCURRENCY_BROWSER: number
    static launch(options: { concurrency: number; maxConcurrency: number; puppeteer: unknown; timeout?: number }): Promise<Cluster>
    execute<T>(task: () => Promise<T>): Promise<T>
    close(): Promise<void>
  }
}
