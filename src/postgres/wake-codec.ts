import type { TableName, Wake } from '../storage/index.js'
import { tables } from '../storage/index.js'

/** The server takes payloads of less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_500

/** Wake-ups as texts that fit into notifications: who sends, then `[stream]` or `[table, id]` each, `[]` for "something". Ids only. */
export function encodeWakes(sender: string, wakes: Iterable<Wake>): string[] {
  const payloads: string[] = []
  let items: string[] = []
  let bytes = 0
  const finish = () => {
    if (items.length > 0) payloads.push(`[${JSON.stringify(sender)},${items.join(',')}]`)
    items = []
    bytes = sender.length + 8
  }
  finish()
  for (const wake of wakes) {
    const item = JSON.stringify(wake.stream === undefined ? (wake.table === undefined ? [] : [wake.table, wake.id]) : [wake.stream])
    const size = Buffer.byteLength(item) + 1
    if (size > MAX_PAYLOAD_BYTES - 200) continue // polling finds it
    if (bytes + size > MAX_PAYLOAD_BYTES) finish()
    items.push(item)
    bytes += size
  }
  finish()
  return payloads
}

/** The wake-ups of somebody else's notification; none of one's own, or of what is not ours. */
export function decodeWakes(self: string, payload: string): Wake[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(payload)
  } catch {
    return []
  }
  if (!Array.isArray(parsed) || parsed[0] === self) return []
  return parsed.slice(1).flatMap((item: unknown): Wake[] => {
    if (!Array.isArray(item)) return []
    if (item.length === 0) return [{}]
    const [first, id] = item as unknown[]
    if (typeof first !== 'string') return []
    if (item.length === 1) return [{ stream: first }]
    return typeof id === 'string' && Object.hasOwn(tables, first) ? [{ table: first as TableName, id }] : []
  })
}
