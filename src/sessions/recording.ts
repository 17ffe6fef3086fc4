/** What can be recorded of a session while its browser runs, under the names of the artifacts that come of it. */
export type RecordingKind = 'video' | 'trace' | 'har' | 'console_log'

/** A recording as it lies in the session's folder. */
export interface RecordedFile {
  readonly path: string
  readonly filename: string
  readonly mimeType: string
}
