/** One statement. Every parameter is sent as text and cast in the statement, so that no driver's type handling comes between. */
export interface Statement {
  readonly text: string
  readonly values: readonly (string | null)[]
  /** Whether the text recurs, so that preparing it pays. */
  readonly recurs?: boolean
}

/** A row of a result; statements return text only. */
export type TextRow = readonly (string | null)[]

/** What runs statements: the port itself, or one connection in a transaction. */
export interface Queryable {
  /** One statement, one round trip. */
  query(statement: Statement): Promise<readonly TextRow[]>
  /** A script without parameters. */
  exec(script: string): Promise<void>
}

/** The dedicated connection of notifications. */
export interface Channel {
  /** Tells every process that listens, this one included. */
  send(payloads: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface ListenParams {
  readonly channel: string
  readonly onMessage: (payload: string) => void
  /** The connection is gone; called once. */
  readonly onLost: (error: unknown) => void
}

/** The four calls on which the adapter stands; pg and PGlite each implement them. */
export interface Port extends Queryable {
  /** Runs work on one connection between BEGIN and COMMIT; ROLLBACK where it throws. */
  tx<T>(work: (connection: Queryable) => Promise<T>): Promise<T>
  listen(params: ListenParams): Promise<Channel>
}

/** A port with what it owns. */
export interface OwnedPort extends Port {
  readonly isDurable: boolean
  readonly isShared: boolean
  /** Whether there can be others to tell, and a connection to tell them by. */
  readonly canListen: boolean
  open(): Promise<void>
  close(): Promise<void>
}

/** What went wrong below the port, with what the caller has to know to decide whether to repeat it. Never leaves the adapter. */
export class PortFailure extends Error {
  /** Whether the statement may have reached the database. */
  readonly wasSent: boolean
  /** Process that executed it on the server, where that is known. */
  readonly backendPid: number | undefined

  constructor(cause: unknown, params: { readonly wasSent: boolean; readonly backendPid?: number | undefined }) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'PortFailure'
    this.wasSent = params.wasSent
    this.backendPid = params.backendPid
  }
}
