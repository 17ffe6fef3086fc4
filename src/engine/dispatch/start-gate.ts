import { type RunRow, type Storage, storageNow } from '../../storage/index.js'
import type { EndUnexecuted } from '../end-unexecuted.js'
import { outcomes } from '../run-outcome.js'
import { findObstacle, type Obstacle, type PassingObstacle, stillThere } from './obstacles.js'
import type { StartGate } from './run-claims.js'

export interface LaneGateOptions {
  readonly storage: Storage
  readonly endUnexecuted: EndUnexecuted
}

/**
 * Lets a queued run begin when its lanes are free and it is next in them, and the run that it depends on has completed. Until then it is
 * parked, by a commit that holds only while the obstacle is there: so whoever removes the obstacle finds the run parked, or the parking is
 * refused. A run whose dependency did not complete ends here.
 */
export class LaneGate implements StartGate {
  readonly #options: LaneGateOptions

  constructor(options: LaneGateOptions) {
    this.#options = options
  }

  async check(run: RunRow): Promise<'open' | 'closed' | 'changed'> {
    if (run.dependsOnWorkflowRunId === null && run.sequentialLane === null && run.sessionLane === null) return 'open'
    const obstacle = await findObstacle(this.#options.storage, run)
    if (obstacle === null) return 'open'
    if (obstacle.kind === 'failedDependency') {
      await this.#options.endUnexecuted(run, outcomes.failed(reasonOf(obstacle), 'DEPENDENCY_FAILED'))
      return 'closed'
    }
    if (run.isParked) return 'closed'
    return (await this.#park(run, obstacle)) ? 'closed' : 'changed'
  }

  async #park(run: RunRow, obstacle: PassingObstacle): Promise<boolean> {
    const { workflowRunId: id, leaseFence } = run
    const result = await this.#options.storage.commit([
      { op: 'update', table: 'runs', id, where: { status: 'queued', leaseFence }, set: { isParked: true, modifiedAt: storageNow() } },
      stillThere(obstacle),
    ])
    return result.ok
  }
}

function reasonOf({ workflowRunId, status }: Extract<Obstacle, { kind: 'failedDependency' }>): string {
  return status === null
    ? `the run that it depends on, ${workflowRunId}, is gone`
    : `the run that it depends on, ${workflowRunId}, ended as ${status}`
}
