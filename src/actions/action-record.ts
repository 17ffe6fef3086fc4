import type { ActionRow } from '../storage/index.js'

/** One performed action as it is written down, secrets as references. */
export type ActionRecord = Omit<ActionRow, 'organizationId' | 'createdAt'>
