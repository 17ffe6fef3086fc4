/** No-op blocks of a run, and steps of a workflow of the peer. */
export const BLOCKS = 3
/** Most connections of a process that runs them, ours or the peer's. */
export const CONNECTIONS = 20
