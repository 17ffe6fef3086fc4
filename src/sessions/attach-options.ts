import type { z } from 'zod'
import { occupySchema } from './options.js'

/** Arguments of `attach`: those of `occupy` but for the wait in line, which is the owner's. */
export const attachSchema = occupySchema.omit({ wait: true, priority: true })
/** Arguments of {@link SessionPool.attach}. */
export type AttachSessionParams = z.input<typeof attachSchema>
