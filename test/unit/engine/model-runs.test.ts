import { describe, it, vi } from 'vitest'
import { PLAY_TIMEOUT_MS, playAll } from '../../support/run-model/model-test.js'
import { fair, faulty } from '../../support/run-model/steps.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)
vi.mock('../../../src/engine/webhooks/http-transport.js', async () => ({
  HttpTransport: (await import('../../support/run-model/air-transport.js')).AirTransport,
}))

describe('two engines on one storage', () => {
  it('bring every run to one true end, whatever is canceled, resumed, crashed or stopped meanwhile', () => playAll(fair), PLAY_TIMEOUT_MS)

  it('do so when storages are slow, fail and lose answers, and when processes freeze and die', () => playAll(faulty), PLAY_TIMEOUT_MS)
})
