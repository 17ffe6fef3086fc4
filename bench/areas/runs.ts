import type { Area } from '../lib/area.js'
import { measureCommits, measureHeartbeat, measureMemory } from '../runs/costs.js'
import { measureBetweenProcesses, measureTakeover } from '../runs/latencies.js'
import { measureThroughput } from '../runs/throughput.js'

export const area: Area = {
  name: 'runs',
  describe: [
    'WorkflowEngine on Postgres, every engine in a process of its own. The peer, `@dbos-inc/dbos-sdk` 5.3.0, runs in another one, on the same server, in a schema of its own, with as many connections, without telemetry and logs.',
    '',
    '- `runsPerSec1`, `runsPerSec16`: runs of three code blocks that do nothing, by 1 and 16 clients, each of whom starts a run and waits for its result, over and over. `dbosPerSec1`, `dbosPerSec16`: workflows of three steps that do nothing, likewise. `runsOverDbos1`, `runsOverDbos16`: one over the other.',
    '- `dispatchMedianMs`: from a run that one process has queued to the first line of its block in another one, which has a worker free.',
    '- `cancelP95Ms`: from the call of `cancel` in one process to the aborted signal of the block in another one.',
    '- `takeoverMs`: from SIGKILL to a process to the block of its run, begun again in another one; leases last 2 s.',
    '- `heartbeat200RunsMs`: one renewal of the leases of 200 runs.',
    '- `commitsPerBlock`: commits of a run of 20 blocks, from the call of `startRun` to its result, by 20.',
    '- `memoryOf1000WaitingRunsMb`: what the heap of an engine holds of 1,000 runs that wait for a worker, after garbage collection; `rssOf1000WaitingRunsMb`: by how much its resident memory has grown.',
  ].join('\n'),
  targets: {
    runsOverDbos1: { op: '>=', value: 2 },
    runsOverDbos16: { op: '>=', value: 2 },
    dispatchMedianMs: { op: '<=', value: 10 },
    cancelP95Ms: { op: '<=', value: 50 },
    takeoverMs: { op: '<=', value: 7_000 },
    heartbeat200RunsMs: { op: '<=', value: 10 },
    commitsPerBlock: { op: '<=', value: 1.2 },
  },
  async measure(context) {
    const throughput = await measureThroughput(context)
    const between = await measureBetweenProcesses(context)
    const takeover = await measureTakeover(context)
    const heartbeat = await measureHeartbeat(context)
    const commits = await measureCommits(context)
    const { memoryOf1000WaitingRunsMb, rssOf1000WaitingRunsMb } = await measureMemory(context)
    return {
      figures: { ...throughput, ...between, ...takeover, ...heartbeat, ...commits, memoryOf1000WaitingRunsMb },
      details: { rssOf1000WaitingRunsMb },
    }
  },
}
