import type { LifecycleState } from '../runtime/index.js'
import type { BackendReport } from './backend-choice.js'
import type { DisplayBackendKind } from './display.js'
import type { RunningDisplay } from './display-manager.js'
import type { Viewer, ViewerRegistry } from './viewer-registry.js'

/** A display that runs on this host. */
export interface DisplayState {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly backend: DisplayBackendKind
  readonly displayNumber: number
  /** In pixels. */
  readonly width: number
  readonly height: number
  readonly pids: readonly number[]
  readonly startedAt: Date
  readonly viewers: readonly Pick<Viewer, 'viewerId' | 'viewTokenId' | 'scope' | 'since'>[]
}

/** What works on this host, and how much is going on. */
export interface StreamingHealth {
  readonly state: LifecycleState
  /** With the reason and the command to run for those that do not work here; empty until started. */
  readonly backends: readonly BackendReport[]
  readonly displays: number
  readonly viewers: number
}

/** Those of sessions: a spare's is nobody's. */
export function describeDisplays(running: readonly RunningDisplay[], viewers: ViewerRegistry): readonly DisplayState[] {
  const owned = running.flatMap((one) => (one.organizationId === null ? [] : [{ ...one, organizationId: one.organizationId }]))
  return owned.map(({ organizationId, browserSessionId, display, startedAt }) => ({
    organizationId,
    browserSessionId,
    backend: display.backend,
    displayNumber: display.displayNumber,
    width: display.width,
    height: display.height,
    pids: display.pids,
    startedAt,
    viewers: viewers.of(browserSessionId).map(({ viewerId, viewTokenId, scope, since }) => ({ viewerId, viewTokenId, scope, since })),
  }))
}
