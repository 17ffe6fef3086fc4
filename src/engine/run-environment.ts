import type { ActionRouter, AgentRunner, PageFacade } from '../actions/index.js'
import type { BlockRegistry } from '../blocks/index.js'
import type { Templates } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { AnyEvent } from '../events/index.js'
import type { Clock, Ids, Logger } from '../runtime/index.js'
import type { Artifacts, Storage } from '../storage/index.js'
import type { ChildRunStarter } from './children/child-run-port.js'
import type { CredentialProvider } from './credentials.js'
import type { EventFactory } from './event-factory.js'
import type { LocalRuns } from './local-runs.js'
import type { ParkedSessions } from './parked-sessions.js'
import type { PauseWatch } from './people/pause-watch.js'
import type { RunSessions } from './run-browser.js'
import type { RunEnds } from './run-ends.js'
import type { ScopePolicies } from './scope-policies.js'

/** What a host function of a `code` block gets. */
export interface HandlerParams {
  /** The parameters named in the block's `parameterKeys` (secrets resolved); without that list, all but the secrets. */
  readonly parameters: Readonly<Record<string, Json>>
  /** Outputs of earlier blocks, by label. */
  readonly outputs: Readonly<Record<string, Json>>
  /** The guarded page; the browser starts at its first call. Texts that it is given are typed as they are: they are no templates. */
  readonly page: PageFacade
  readonly signal: AbortSignal
}

/** A function that a host registers for `code` blocks. What it returns must be JSON; undefined counts as null. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler may return nothing
export type CodeHandler = (params: HandlerParams) => Promise<Json | undefined | void> | Json | undefined | void

/** What every execution of an engine shares. */
export interface RunEnvironment {
  readonly storage: Storage
  readonly sessions: RunSessions | undefined
  readonly artifacts: Artifacts
  readonly registry: BlockRegistry
  readonly handlers: Readonly<Record<string, CodeHandler>>
  readonly credentials: Readonly<Record<string, CredentialProvider>>
  readonly templates: Templates
  readonly router: ActionRouter
  /** Null: no agent is configured. */
  readonly agent: AgentRunner | null
  readonly scopePolicies: ScopePolicies
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Starts runs below others. */
  readonly children: ChildRunStarter
  readonly defaultBlockTimeoutSeconds: number | null
  /** Hears of every run that ended here. */
  readonly ends: RunEnds
  /** The runs that this process executes. */
  readonly localRuns: LocalRuns
  /** The sessions that paused runs keep. */
  readonly parked: ParkedSessions
  /** Hears of every run that was paused here. */
  readonly pauses: PauseWatch
  /** Whether elements that are not found are looked for by other recorded ways. */
  readonly alternativeTargets: boolean
}
