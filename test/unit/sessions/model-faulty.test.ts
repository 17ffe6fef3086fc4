import { describe, expect, it, vi } from 'vitest'
import { PLAY_TIMEOUT_MS, playAll } from '../../support/session-model/model-test.js'
import { faulty } from '../../support/session-model/steps.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)

describe('two hosts', () => {
  it('faulty', async () => { expect(await playAll(faulty, {})).toBeUndefined() }, PLAY_TIMEOUT_MS)
})
