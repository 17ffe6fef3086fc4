import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './lib/statistics.js'
import { guardStorage, MemoryStorage } from 'runwright'
import * as f from './storage/flatness.js'
console.log(await (f as any).memoryOnly({ isQuick: false, progress: console.log, sample() {}, note() {}, share: async (_: string, o: any) => (await o()).value }))
