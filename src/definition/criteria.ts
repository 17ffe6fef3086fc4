import { z } from 'zod'

/** A condition: a template whose rendered text is read as truth, or a question to the agent. */
export const criteriaSchema = z.strictObject({
  /** A prompt is judged by an agent, which this version does not have: only `jinja2_template` is accepted. */
  type: z.enum(['jinja2_template', 'prompt']),
  /** Template, for example `{{ total > 100 }}`; of a prompt, the statement that is judged. */
  expression: z.string().min(1),
})

/** A condition, see `criteriaSchema`. */
export type Criteria = z.infer<typeof criteriaSchema>
