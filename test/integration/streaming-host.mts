import { MemoryStorage } from '../../src/storage/index.js'
import { StreamingSupervisor } from '../../src/streaming/index.js'
import { insertSession, ORGANIZATION } from '../unit/streaming/fixtures.js'

// A host that starts a display, tells of it on one line, and waits to be killed.
const storage = new MemoryStorage()
await insertSession(storage, 'bs_host')
const streaming = new StreamingSupervisor({ storage, organizationId: ORGANIZATION })
await streaming.start()
const { pids, directory, displayNumber } = await streaming.startDisplay({ browserSessionId: 'bs_host' })
console.log(JSON.stringify({ pids, directory, displayNumber }))
