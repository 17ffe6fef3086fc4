import type { Names } from '../names.js'
import { initial } from './0001-initial.js'

/** One step of the stored schema. Steps are only ever added; a step that a release has shipped is never changed. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number
  readonly name: string
  /** The oldest client that can work on the schema after this step, as the number of the last step that it knows. */
  readonly minimumClient: number
  statements(names: Names): readonly string[]
}

export const migrations: readonly Migration[] = [initial]

/** The number of the last step that this client knows. */
export const CLIENT_VERSION = migrations.length
