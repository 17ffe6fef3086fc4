import type { NewEvent, StoredEvent, Write } from '../storage/storage.js'
import { copyJson } from '../storage/values.js'
import { type Draft, STREAM_MARK } from './draft.js'
import { decodeInstant } from './values.js'

type Append = Extract<Write, { op: 'append' }>

/** More events than this go as arrays. */
export const MAX_LISTED_EVENTS = 4

/** The appends of a batch that append something, with their index. */
export const appendsOf = (batch: readonly Write[]): readonly Append[] =>
  batch.filter((write): write is Append => write.op === 'append' && write.events.length > 0)

/**
 * Allots the sequence numbers and stores the events. The row of a stream is its lock: whoever appends holds it until the commit, so that
 * numbers have no gaps and appear in order. Streams are locked in order of their names.
 * @param gate what has to hold for anything to be written; `source` a relation that is empty where nothing may be, or nothing
 */
export function compileAppends(draft: Draft, appends: readonly Append[], gate: string): void {
  if (appends.length === 0) return
  const { params, dialect, commitId } = draft
  const counts = appends.map((append) => String(append.events.length))
  const streams = appends.map((append) => append.stream)
  const condition = gate === '' ? '' : ` WHERE ${gate}`
  const [only] = streams
  const isOne = streams.length === 1
  const streamName = isOne ? params.add(only as string, 'text') : 'v.stream'
  const source = isOne
    ? `SELECT ${streamName}, ${isListed(appends[0] as Append) ? counts[0] : params.add(counts[0] as string, 'bigint')}${condition}`
    : `SELECT v.stream, v.count FROM unnest(${params.addArray(streams, 'text')}, ${params.addArray(counts, 'bigint')}) AS v(stream, count)${condition} ORDER BY v.stream COLLATE "C"`
  draft.with(
    isOne ? 's' : 'sn',
    `(INSERT INTO ${dialect.names.streams} AS s (stream, last_seq) ${source} ON CONFLICT (stream) DO UPDATE SET last_seq = s.last_seq + excluded.last_seq RETURNING s.stream, s.last_seq, clock_timestamp()::timestamptz(3) AS at)`,
  )
  // the clock goes on from row to row: the events of a commit have one time, the last
  if (!isOne) draft.with('s', '(SELECT stream, last_seq, max(at) OVER () AS at FROM sn)')
  const columns = '(stream, seq, id, type, organization_id, at, payload, commit_id)'
  draft.with('e', `(INSERT INTO ${dialect.names.events} ${columns} ${eventRows(draft, appends)})`)
  draft.result(STREAM_MARK, 'json_build_array(s.stream, s.last_seq, s.at)::text FROM s')
  function eventRows(target: Draft, all: readonly Append[]): string {
    const [first] = all
    if (all.length === 1 && first !== undefined && isListed(first)) return listedRows(target, first)
    const events = all.flatMap(({ stream, events: own }) => own.map((event, place) => ({ stream, event, back: own.length - place - 1 })))
    const array = (pick: (event: NewEvent) => string) =>
      target.params.addArray(
        events.map(({ event }) => pick(event)),
        'text',
      )
    const arrays = [
      target.params.addArray(
        events.map(({ stream }) => stream),
        'text',
      ),
      target.params.addArray(
        events.map(({ back }) => String(back)),
        'bigint',
      ),
      array((event) => event.id),
      array((event) => event.type),
      array((event) => event.organizationId),
      array((event) => JSON.stringify(event.payload)),
    ]
    const rows = `unnest(${arrays.join(', ')}) AS v(stream, back, id, type, organization_id, payload)`
    return `SELECT s.stream, s.last_seq - v.back, v.id, v.type, v.organization_id, s.at, v.payload::json, ${commitId} FROM s JOIN ${rows} ON v.stream = s.stream`
  }
}

const isListed = ({ events }: Append) => events.length <= MAX_LISTED_EVENTS

/** Few events of one stream, each value a parameter of its own. */
function listedRows({ params, commitId }: Draft, { events }: Append): string {
  const rows = events.map((event, place) => {
    const texts = [event.id, event.type, event.organizationId].map((text) => params.add(text, 'text'))
    return [String(events.length - place - 1), ...texts, params.add(JSON.stringify(event.payload), 'json')] as const
  })
  const [only] = rows
  if (rows.length === 1 && only !== undefined) {
    const [, id, type, organizationId, payload] = only
    return `SELECT s.stream, s.last_seq, ${id}, ${type}, ${organizationId}, s.at, ${payload}, ${commitId} FROM s`
  }
  const values = `(VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')}) AS v(back, id, type, organization_id, payload)`
  return `SELECT s.stream, s.last_seq - v.back, v.id, v.type, v.organization_id, s.at, v.payload, ${commitId} FROM s, ${values}`
}

/** Removes streams with their events. Their rows are locked before, by a statement of its own, so that this one sees every event. */
export function compileStreamDeletions(draft: Draft, streams: readonly string[], gate: string): void {
  if (streams.length === 0) return
  const names = draft.params.addArray(streams, 'text')
  const condition = `WHERE stream = ANY (${names})${gate === '' ? '' : ` AND ${gate}`}`
  draft.with('de', `(DELETE FROM ${draft.dialect.names.events} ${condition})`)
  draft.with('ds', `(DELETE FROM ${draft.dialect.names.streams} ${condition})`)
}

/** The events of an append as they were stored, from what its stream was given. */
export function storedEvents(append: Append, lastSeq: number, at: string): StoredEvent[] {
  const { stream, events } = append
  return events.map(({ id, type, organizationId, payload }, place) => {
    const seq = lastSeq - events.length + place + 1
    return { stream, seq, id, type, organizationId, at: decodeInstant(at), payload: copyJson(payload) as StoredEvent['payload'] }
  })
}
