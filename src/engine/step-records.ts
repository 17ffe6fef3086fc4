import type { ActionTexts, PlaybookSource, StepRecorder } from '../actions/index.js'
import { TemplateReference } from '../definition/index.js'
import { soleVariable } from './attempt-actions.js'
import type { BlockEntry } from './block-journal.js'
import type { RunState } from './run-state.js'

/** Writes the attempts at the steps of a task, in batches with what is written anyway. */
export function stepRecorder(state: RunState, entry: BlockEntry, taskId: string): StepRecorder {
  const { environment, journal, time } = state
  const { organizationId, workflowRunId } = entry
  return {
    nextStepId: () => environment.ids.next('stp'),
    record: (step) => {
      state.stepCount++
      journal.stage({ op: 'insert', table: 'steps', row: { ...step, organizationId, workflowRunId, taskId, createdAt: time.now() } })
      journal.flushSoon()
    },
  }
}

/** The playbooks that steps of a run may call; `texts` are those of its actions. */
export function playbookSource(state: RunState, texts: ActionTexts): PlaybookSource {
  const { environment, scope, secrets, playbooks } = state
  return {
    find: playbooks.find,
    textsWith: ({ values, sources }) => {
      const names = new Map(
        Object.entries(values).map(([name, value]) => {
          // a secret that is handed on stays a reference: it can be passed on again, not taken apart
          const isReference = typeof value === 'string' && secrets.has(value)
          return [name, isReference ? new TemplateReference(value) : value] as const
        }),
      )
      const lookUp = (name: string) => (names.has(name) ? names.get(name) : scope.lookUp(name))
      return {
        ...texts,
        render: (template) => environment.templates.render(template, lookUp),
        sourceOf: (template) => {
          const key = soleVariable(template)
          return key !== undefined && names.has(key) ? (sources[key] ?? null) : texts.sourceOf(template)
        },
      }
    },
  }
}
