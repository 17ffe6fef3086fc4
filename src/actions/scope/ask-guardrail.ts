import { TimeoutError } from '../../errors/index.js'
import { type Clock, withDeadline } from '../../runtime/index.js'
import type { Guardrail, GuardrailRequest } from './action-scope.js'

/** How long a guardrail may take, in milliseconds. */
export const GUARDRAIL_LIMIT_MS = 10_000

/**
 * Why a guardrail refuses; null: it allows. One that throws, gives no verdict or takes too long refuses. An abort of the request's signal
 * is thrown: nobody asks any more.
 */
export async function askGuardrail(guardrail: Guardrail, request: GuardrailRequest, clock: Clock): Promise<string | null> {
  try {
    const verdict = await withDeadline({
      run: async (signal) => guardrail({ ...request, signal }),
      timeoutMs: GUARDRAIL_LIMIT_MS,
      onTimeout: () => new TimeoutError('A guardrail', GUARDRAIL_LIMIT_MS),
      signal: request.signal,
      clock,
    })
    if (verdict?.allow === true) return null
    const { reason } = (verdict ?? {}) as { readonly reason?: unknown }
    return typeof reason === 'string' && reason !== '' ? reason : 'a guardrail refuses it and gives no reason'
  } catch (error) {
    request.signal.throwIfAborted()
    return `a guardrail failed: ${error instanceof Error ? error.message : String(error)}`
  }
}
