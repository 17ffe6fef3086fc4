import type { UpstreamProxy } from './ports.js'

/** Port to the proxies of a host: names stand in rows and calls, servers and credentials come from here, launch by launch. */
export interface ProxyProvider {
  /** The proxy of this name; null where there is none. */
  get(
    proxyLocation: string,
    context: { readonly organizationId: string; readonly browserSessionId: string; readonly signal: AbortSignal },
  ): Promise<UpstreamProxy | null> | UpstreamProxy | null
}
