import type { ActionContext, ActionRecord } from '../../../src/actions/index.js'
import { ActionRouter, SequenceExecutor, StuckDetector } from '../../../src/actions/index.js'
import { type ActionInput, actionSchema } from '../../../src/definition/index.js'
import type { BrowserHandle } from '../../../src/sessions/index.js'
import { FakeBrowserDriver, FakeClock, type FakeSite, sequentialIds } from '../../../src/testing/index.js'

export const parse = (action: ActionInput) => actionSchema.parse(action)

/** A router over one scripted browser, and the context of one block attempt. */
export async function openBrowser(site: FakeSite = {}, overrides: Partial<ActionContext> = {}) {
  const clock = new FakeClock()
  const driver = new FakeBrowserDriver({ clock, site })
  const control = new AbortController()
  const spec = {
    browserSessionId: 'bs_1',
    browserType: 'chromium' as const,
    headless: true,
    viewport: null,
    launchArgs: [],
    env: {},
    directory: '/x',
    downloadsDirectory: '/x',
  }
  const browser = await driver.launch(spec, { signal: control.signal, timeoutMs: 1_000 })
  const records: ActionRecord[] = []
  const pictures: string[] = []
  const context: ActionContext = {
    organizationId: 'acme',
    workflowRunId: 'wr_1',
    workflowPermanentId: 'wpid_1',
    runBlockId: 'rb_1',
    blockLabel: 'a',
    signal: control.signal,
    texts: {
      render: (template) => template.replaceAll('{{ name }}', 'Ada').replaceAll('{{ KEY }}', '<KEY>'),
      reveal: async <T>(value: T) => JSON.parse(JSON.stringify(value).replaceAll('<KEY>', 'hunter2')) as T,
      redact: <T>(value: T) => JSON.parse(JSON.stringify(value).replaceAll('<KEY>', '{{ KEY }}').replaceAll('hunter2', '{{ KEY }}')) as T,
      sourceOf: (template) => (template === '{{ name }}' ? 'name' : null),
    },
    elements: { recall: async () => null },
    scope: null,
    stuck: new StuckDetector(),
    dryRun: false,
    files: {
      saveScreenshot: async (picture) => `art_${pictures.push(picture.toString())}`,
      dataAddress: async (reference) => `data:,bytes of ${reference}`,
    },
    browser: async () => browser as BrowserHandle,
    record: (record) => void records.push(record),
    ...overrides,
  }
  const router = new ActionRouter({ clock, ids: sequentialIds(), timeouts: { actionTimeoutMs: 15_000, navigationTimeoutMs: 30_000 } })
  const act = (action: ActionInput, stepIndex = 0) => router.execute(parse(action), context, { stepIndex })
  const actAll = (actions: ActionInput[]) => new SequenceExecutor({ router, clock }).execute(actions.map(parse), context)
  const page = () => {
    const last = browser.pages().at(-1)
    if (last === undefined) throw new Error('no page')
    return last
  }
  return { clock, browser, control, context, router, records, pictures, act, actAll, page }
}
