import { coerceParameters, type Playbook } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { ActionTexts } from './action-context.js'
import type { PlaybookVariables } from './sequence-ports.js'

/** What the templates of a list outside of every playbook see beside the run's own names. */
export const NO_VARIABLES: PlaybookVariables = { values: {}, sources: {} }

export interface BindParametersParams {
  readonly playbook: Playbook
  /** As the call has them, templates and all. */
  readonly given: Readonly<Record<string, unknown>>
  /** Those that the call itself sees. */
  readonly texts: ActionTexts
  readonly outer: PlaybookVariables
}

/**
 * The variables of a playbook that is called: its parameters, rendered and coerced like those of a run, over the caller's.
 * @throws {TemplateError}
 * @throws {ParameterError} `UNKNOWN_PARAMETERS`, `MISSING_PARAMETERS`, `INVALID_PARAMETERS`
 */
export function bindParameters({ playbook, given, texts, outer }: BindParametersParams): PlaybookVariables {
  const rendered = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, renderDeep(value as Json, texts)]))
  const { values } = coerceParameters(playbook.parameters, rendered)
  const sources = playbook.parameters.map(({ key }) => {
    const value = given[key]
    return [key, typeof value === 'string' ? texts.sourceOf(value) : null] as const
  })
  return { values: { ...outer.values, ...values }, sources: { ...outer.sources, ...Object.fromEntries(sources) } }
}

/** Every text in a value, rendered; keys stay as they are. */
function renderDeep(value: Json, texts: ActionTexts): Json {
  if (typeof value === 'string') return texts.render(value)
  if (Array.isArray(value)) return value.map((item: Json) => renderDeep(item, texts))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderDeep(item as Json, texts)]))
}
