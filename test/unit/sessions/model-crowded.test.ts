import { describe, it, vi } from 'vitest'
import { PLAY_TIMEOUT_MS, playAll } from '../../support/session-model/model-test.js'
import { crowded } from '../../support/session-model/steps.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)

describe('two hosts of which more is wanted than they have', () => {
  it(
    'settle every call in time, keep the limits, give each session to one holder, and nothing that is gone',
    () => playAll(crowded),
    PLAY_TIMEOUT_MS,
  )
})
