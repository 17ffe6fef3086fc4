import { describe, it, vi } from 'vitest'
import { PLAY_TIMEOUT_MS, playAll } from '../../support/session-model/model-test.js'
import { faulty } from '../../support/session-model/steps.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)

describe('two hosts to which everything happens: storages that fail, clocks that jump, processes that die', () => {
  it(
    'have one holder a session at most, tell holders the truth, and end with nothing left and every row true',
    () => playAll(faulty),
    PLAY_TIMEOUT_MS,
  )
})
