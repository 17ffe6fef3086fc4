import { serve } from '../lib/worker.js'
import { clusterAnswers, clusterJobs, clusterLaunches } from './cluster.js'
import { crawleeInnocents, crawleeLaunches, crawleePages } from './crawlee.js'

const handlers = { crawleePages, crawleeLaunches, crawleeInnocents, clusterJobs, clusterLaunches, clusterAnswers }

export type PeersWorker = typeof handlers

serve(handlers)
