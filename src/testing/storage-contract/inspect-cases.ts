import assert from 'node:assert/strict'
import { applied, type ContractCase, type ContractContext, refused } from './kit.js'
import { append, insertRun } from './samples.js'

/** Ids and a few plain columns, whatever the database's own types are. */
async function seen({ inspect }: ContractContext) {
  assert.ok(inspect !== undefined)
  const runs = await inspect({ table: 'runs' })
  const events = await inspect({ stream: 's' })
  const values = runs.map(({ workflowRunId, status, priority }) => [workflowRunId, status, Number(priority)])
  const numbered = events.map(({ seq, id }) => [Number(seq), id] as const)
  return {
    runs: values.sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),
    events: numbered.sort(([one], [other]) => one - other),
  }
}

/** What a second reader of the database finds; only where the caller gave one. */
export const inspectCases: ContractCase[] = [
  {
    name: 'inspected: the database holds what was committed and nothing of what was refused, as a second reader sees it',
    async run(storage, context) {
      await applied(storage, insertRun('a', { priority: 1 }), insertRun('b', { priority: 2 }), append('s', 'e1', 'e2'), append('t', 'x'))
      await refused(storage, insertRun('c'), append('s', 'lost'), { op: 'delete', table: 'runs', id: 'none' })
      const expected = {
        runs: [
          ['a', 'queued', 1],
          ['b', 'queued', 2],
        ],
        events: [
          [1, 'e1'],
          [2, 'e2'],
        ],
      }
      assert.deepEqual(await seen(context), expected)
      const update = { op: 'update', table: 'runs', id: 'a', set: { status: 'running' } } as const
      await applied(storage, update, { op: 'delete', table: 'runs', id: 'b' }, append('s', 'e3'))
      assert.deepEqual(await seen(context), {
        runs: [['a', 'running', 1]],
        events: [
          [1, 'e1'],
          [2, 'e2'],
          [3, 'e3'],
        ],
      })
      await applied(storage, { op: 'deleteStream', stream: 's' })
      assert.deepEqual((await seen(context)).events, [])
    },
  },
]
