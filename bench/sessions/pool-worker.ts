import { serve } from '../lib/worker.js'
import { poolInnocents, poolLaunches, poolPairs } from './pool.js'

const handlers = { poolPairs, poolLaunches, poolInnocents }

export type PoolWorker = typeof handlers

serve(handlers)
