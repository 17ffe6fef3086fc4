import { schemaStatements } from '../ddl.js'
import type { Names } from '../names.js'

/**
 * The whole schema, built from the manifest. It follows the manifest until the first release; from then on its statements are written
 * out here and stay, and changes of the manifest are new steps. The ledger's checksum tells a database that an earlier state of it made.
 */
export const initial = {
  number: 1,
  name: 'initial',
  minimumClient: 1,
  statements: (names: Names): readonly string[] => schemaStatements(names),
} as const
