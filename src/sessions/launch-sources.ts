import { InvalidArgumentError, ProxyNotFoundError, RunwrightError, TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { BrowserOptions } from './browser-options.js'
import type { BrowserState } from './browser-state.js'
import type { SessionPoolSettings } from './options.js'
import type { UpstreamProxy } from './ports.js'
import type { ProfileReader } from './profiles/profile-reader.js'
import type { SessionDirectory } from './session-directory.js'

const PROXY_LIMIT_MS = 10_000

export interface SourcesRequest extends BrowserOptions {
  readonly organizationId: string
  readonly browserAddress?: string | undefined
}

/** What a browser has from its launch on; one that runs already cannot be given it. */
const OF_A_LAUNCH = ['browserProfileId', 'proxyLocation', 'extraHttpHeaders', 'locale', 'timezoneId', 'record', 'keepState'] as const
const OF_A_PROCESS = ['attachable', 'detached'] as const

/** Where what a browser is launched with comes from: its proxy, its profile. */
export class LaunchSources {
  readonly #settings: SessionPoolSettings
  readonly #profiles: ProfileReader

  constructor(parts: { readonly settings: SessionPoolSettings; readonly profiles: ProfileReader }) {
    this.#settings = parts.settings
    this.#profiles = parts.profiles
  }

  /**
   * Refuses, before anything is written, what names nothing; gives the proxy.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what only a launch can give, on a browser that runs already
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`
   * @throws {ProxyNotFoundError} `PROXY_NOT_FOUND`
   */
  async prepare(request: SourcesRequest, browserSessionId: string, signal: AbortSignal): Promise<UpstreamProxy | null> {
    const { organizationId, browserProfileId, proxyLocation } = request
    if (request.browserAddress !== undefined) assertAttachable(request)
    if (browserProfileId !== undefined) await this.#profiles.get(organizationId, browserProfileId)
    return proxyLocation === undefined ? null : this.#proxy(proxyLocation, { organizationId, browserSessionId }, signal)
  }

  /** Brings the profile of a session into its folder; gives the state that its browser has to be given. */
  async load(request: SourcesRequest, directory: SessionDirectory): Promise<BrowserState | null> {
    const { organizationId, browserProfileId } = request
    return browserProfileId === undefined ? null : this.#profiles.load(organizationId, browserProfileId, directory.path)
  }

  /**
   * The state of a session's profile, for a browser that is started again in its folder. Null: it has none; or not any more, and what is in
   * the folder has to do.
   */
  async loadState(
    request: SourcesRequest & { readonly browserSessionId: string },
    directory: SessionDirectory,
  ): Promise<BrowserState | null> {
    const { organizationId, browserSessionId, browserProfileId } = request
    if (browserProfileId === undefined) return null
    try {
      return await this.#profiles.loadState(organizationId, browserProfileId, directory.temporary)
    } catch (error) {
      this.#settings.logger.warn('the profile of a session whose browser is replaced cannot be read', { browserSessionId, error })
      return null
    }
  }

  async #proxy(
    name: string,
    ids: { readonly organizationId: string; readonly browserSessionId: string },
    signal: AbortSignal,
  ): Promise<UpstreamProxy> {
    const { proxies, clock } = this.#settings
    if (proxies === undefined) throw new ProxyNotFoundError(name, 'the pool has no `proxies`')
    const proxy = await withDeadline({
      run: async (bounded) => proxies.get(name, { ...ids, signal: bounded }),
      timeoutMs: PROXY_LIMIT_MS,
      onTimeout: () => new TimeoutError(`The provider of proxy ${name}`, PROXY_LIMIT_MS),
      signal,
      clock,
    }).catch((cause: unknown) => {
      signal.throwIfAborted()
      throw RunwrightError.is(cause) ? cause : new ProxyNotFoundError(name, 'its provider failed', cause)
    })
    if (proxy === null || proxy === undefined) throw new ProxyNotFoundError(name, 'its provider knows none of this name')
    if (isProxyServer(proxy.server)) return proxy
    throw new InvalidArgumentError(`The provider of proxy ${name} gave no proxy server`, {
      path: 'proxyLocation',
      expected: 'http://host:port or socks5://host:port, credentials apart',
      received: typeof proxy.server,
    })
  }
}

function assertAttachable(request: SourcesRequest): void {
  const given =
    OF_A_LAUNCH.find((name) => request[name] !== undefined) ??
    OF_A_PROCESS.find((name) => request[name] === true) ??
    (request.extensions.length > 0 ? 'extensions' : undefined)
  if (given === undefined) return
  throw new InvalidArgumentError(`browserAddress and ${given} exclude each other: a browser that runs already is as it is`, {
    path: given,
    expected: 'none',
    received: given,
  })
}

/** Whether a text is the address of a proxy, without credentials in it. Pure. */
export function isProxyServer(server: unknown): boolean {
  if (typeof server !== 'string' || !URL.canParse(server)) return false
  const { protocol, hostname, username, password } = new URL(server)
  return /^(https?|socks[45]):$/.test(protocol) && hostname !== '' && username === '' && password === ''
}
