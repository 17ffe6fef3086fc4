import type { Area } from '../lib/area.js'
import { measureMemory } from '../storage/memory.js'

export const area: Area = {
  name: 'storage',
  describe: 'x',
  targets: {},
  async measure(context) {
    return { figures: { ...(await measureMemory(context)) } }
  },
}
