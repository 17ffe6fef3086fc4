/** One query as `pg` takes it. */
export interface PgQueryConfig {
  readonly text: string
  readonly values?: (string | null)[]
  readonly name?: string
  readonly rowMode: 'array'
  /** How values are read: here, as the text that they came as, whatever the host told `pg` to make of them. */
  readonly types?: { getTypeParser(typeId: number, format?: string): (text: string) => unknown }
}

/** What is used of a result of `pg`. */
export interface PgResultLike {
  readonly rows: readonly unknown[]
}

/** What is used of a client of `pg`, once it is connected. */
export interface PgClientLike {
  // biome-ignore lint/suspicious/noExplicitAny: the overloads of pg's own types fit no narrower signature
  query(config: any): Promise<any>
  // biome-ignore lint/suspicious/noExplicitAny: what a listener gets depends on the event
  on(event: string, listener: (argument: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeListener(event: string, listener: (argument: any) => void): unknown
  release(error?: boolean | Error): void
}

/** What is used of a `Pool` of `pg`, version 8. */
export interface PgPoolLike {
  connect(): Promise<PgClientLike>
  // biome-ignore lint/suspicious/noExplicitAny: what a listener gets depends on the event
  on(event: 'error' | 'connect', listener: (argument: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeListener(event: 'error' | 'connect', listener: (argument: any) => void): unknown
  end(): Promise<void>
  readonly options?: { readonly max?: number | undefined }
}
