import { z } from 'zod'
import type { PlaybookInput } from '../definition/index.js'

const organizationId = z.string().min(1).optional()
const place = { organizationId, workflowPermanentId: z.string().min(1) }

/** Arguments of `savePlaybook`; the playbook itself is checked by its own parser, which names every broken rule. */
export const savePlaybookSchema = z.looseObject(place)
/** Arguments of {@link WorkflowEngine.savePlaybook}: where it is stored, beside its own fields. */
export type SavePlaybookParams = z.input<z.ZodObject<typeof place>> & PlaybookInput

/** Arguments of `getPlaybook`. */
export const playbookRefSchema = z.strictObject({
  ...place,
  name: z.string().min(1),
  /** The newest when left out. */
  version: z.number().int().min(1).optional(),
})
/** Which version of which playbook. */
export type PlaybookRef = z.input<typeof playbookRefSchema>

/** Arguments of `deletePlaybook`. */
export const deletePlaybookSchema = playbookRefSchema.omit({ version: true })
/** Which playbook to delete. */
export type DeletePlaybookParams = z.input<typeof deletePlaybookSchema>

/** Arguments of `listPlaybooks`. */
export const listPlaybooksSchema = z.strictObject(place)
/** Of which workflow. */
export type ListPlaybooksParams = z.input<typeof listPlaybooksSchema>
