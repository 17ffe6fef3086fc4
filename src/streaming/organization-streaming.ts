import type { Display } from './display.js'
import type { Screenshot } from './screenshots.js'
import type { ByOrganization, IssueTokenParams, ScreenshotParams, StartDisplayParams } from './stream-params.js'
import type { DisplayState } from './streaming-state.js'
import type { IssuedViewToken } from './view-tokens.js'

/** The calls that name an organization. */
export interface OrganizationCalls {
  startDisplay(params: StartDisplayParams): Promise<Display>
  issueToken(params: IssueTokenParams): Promise<IssuedViewToken>
  revoke(params: ByOrganization & { readonly viewTokenId: string }): Promise<boolean>
  screenshot(params: ScreenshotParams): Promise<Screenshot>
  list(params: ByOrganization): readonly DisplayState[]
}

/** A `StreamingSupervisor` that speaks for one organization. */
export class OrganizationStreaming {
  readonly #supervisor: OrganizationCalls
  readonly organizationId: string

  constructor(supervisor: OrganizationCalls, organizationId: string) {
    this.#supervisor = supervisor
    this.organizationId = organizationId
  }

  startDisplay(params: Omit<StartDisplayParams, 'organizationId'>): Promise<Display> {
    return this.#supervisor.startDisplay({ ...params, organizationId: this.organizationId })
  }

  issueToken(params: Omit<IssueTokenParams, 'organizationId'>): Promise<IssuedViewToken> {
    return this.#supervisor.issueToken({ ...params, organizationId: this.organizationId })
  }

  revoke(params: { readonly viewTokenId: string }): Promise<boolean> {
    return this.#supervisor.revoke({ ...params, organizationId: this.organizationId })
  }

  screenshot(params: Omit<ScreenshotParams, 'organizationId'>): Promise<Screenshot> {
    return this.#supervisor.screenshot({ ...params, organizationId: this.organizationId })
  }

  list(): readonly DisplayState[] {
    return this.#supervisor.list({ organizationId: this.organizationId })
  }
}
