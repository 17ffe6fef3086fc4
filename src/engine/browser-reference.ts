import { z } from 'zod'

/** The DevTools address of a browser that runs already. */
export const browserAddressSchema = z
  .string()
  .regex(/^(https?|wss?):\/\//i, { error: 'expected an http, https, ws or wss address' })
  .refine((address) => URL.canParse(address), { error: 'expected an address' })

/** An address of a page: http or https, a missing scheme becomes https. Templates are judged when they are rendered. */
export const pageAddressSchema = z
  .string()
  .min(1)
  .refine((address) => /^\s*(https?:\/\/|\{\{|\{%)/i.test(address) || !/^\s*[a-z][a-z0-9+.-]*:(?!\d+([/?#]|$))/i.test(address), {
    error: 'expected an http or https address',
  })

/** What names the browser of a call; at most one of them. */
const REFERENCES = ['browserSessionId', 'browserProfileId', 'browserAddress', 'workflowRunId'] as const

/** Refuses more than one reference to a browser, and a wait for a session that is not named. */
export function oneBrowser<S extends z.ZodObject>(schema: S): S {
  const given = (value: unknown) => REFERENCES.filter((key) => (value as Record<string, unknown>)[key] !== undefined)
  return schema.check((context) => {
    const { wait, browserSessionId } = context.value as { wait?: unknown; browserSessionId?: unknown }
    if (wait !== undefined && browserSessionId === undefined) {
      context.issues.push({ code: 'custom', message: 'names no session to wait for', path: ['wait'], input: context.value })
    }
    const keys = given(context.value)
    const [, second] = keys
    if (second === undefined) return
    context.issues.push({
      code: 'custom',
      message: `${keys.join(' and ')} exclude each other`,
      path: [second],
      input: context.value,
    })
  }) as S
}
