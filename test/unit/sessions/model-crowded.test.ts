import { describe, expect, it, vi } from 'vitest'
import { PLAY_TIMEOUT_MS, playAll } from '../../support/session-model/model-test.js'
import { crowded } from '../../support/session-model/steps.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)

describe('two hosts', () => {
  it('crowded', async () => { expect(await playAll(crowded, {})).toBeUndefined() }, PLAY_TIMEOUT_MS)
})
