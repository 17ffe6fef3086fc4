import { text } from 'node:stream/consumers'
import { beforeEach, describe, expect, it } from 'vitest'
import { ArtifactError } from '../../../src/errors/index.js'
import { keySegment, safeFilename, safeMimeType } from '../../../src/storage/artifacts/filenames.js'
import {
  Artifacts,
  guardStorage,
  MemoryArtifactStore,
  MemoryStorage,
  type SaveArtifactParams,
  type Storage,
  type StoredEvent,
} from '../../../src/storage/index.js'
import { FakeClock, faultyStorage, sequentialIds } from '../../../src/testing/index.js'
import { insertRun, T0 } from './contract/contract.js'

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'resolved',
    (error: unknown) => (ArtifactError.is(error) ? error.code : error),
  )

describe('Artifacts', () => {
  let storage: Storage
  let store: MemoryArtifactStore
  let told: StoredEvent[]
  let artifacts: Artifacts
  const saving: SaveArtifactParams = {
    organizationId: 'org/1',
    type: 'download',
    filename: '../../Rechnung März.PDF',
    mimeType: 'application/pdf',
    body: Buffer.from('%PDF'),
    workflowRunId: 'wr_1',
    runBlockId: 'rb_1',
    blockLabel: 'fetch',
    browserSessionId: 'bs_1',
  }

  beforeEach(async () => {
    storage = guardStorage(new MemoryStorage({ clock: new FakeClock({ now: T0 }) }))
    await storage.open()
    store = new MemoryArtifactStore({ maxBytes: 100 })
    told = []
    artifacts = new Artifacts({ storage, store, ids: sequentialIds(), onEvents: (events) => told.push(...events) })
  })

  it('stores bytes, then row and event in one commit on the run’s stream', async () => {
    const row = await artifacts.save(saving)
    expect(row).toMatchObject({
      artifactId: 'art_1',
      organizationId: 'org/1',
      storeKey: 'org~2f~1/wr_1/art_1.pdf',
      filename: 'Rechnung März.PDF',
      size: 4,
      workflowRunId: 'wr_1',
      runBlockId: 'rb_1',
      blockLabel: 'fetch',
      browserSessionId: 'bs_1',
      createdAt: T0,
    })
    const events = await storage.readEvents({ stream: 'run:wr_1' })
    expect(events).toEqual(told)
    expect(events[0]).toMatchObject({
      type: 'artifact.saved',
      payload: {
        artifactId: 'art_1',
        type: 'download',
        filename: 'Rechnung März.PDF',
        size: 4,
        workflowRunId: 'wr_1',
        browserSessionId: 'bs_1',
      },
    })
    expect(await text((await artifacts.read({ organizationId: 'org/1', artifactId: 'art_1' })).body)).toBe('%PDF')
  })

  it('tells on the session’s stream where there is no run, and on none where there is neither', async () => {
    await artifacts.save({ ...saving, workflowRunId: undefined })
    await artifacts.save({ ...saving, workflowRunId: undefined, browserSessionId: undefined })
    expect(await storage.readEvents({ stream: 'session:bs_1' })).toMatchObject([{ payload: { workflowRunId: null } }])
    expect(told).toHaveLength(1)
    expect(await storage.count('artifacts')).toBe(2)
  })

  it('keeps organisations apart', async () => {
    await artifacts.save(saving)
    expect(await codeOf(artifacts.read({ organizationId: 'org', artifactId: 'art_1' }))).toBe('ARTIFACT_NOT_FOUND')
    expect(await artifacts.listByRun({ organizationId: 'org', workflowRunId: 'wr_1' })).toEqual([])
  })

  it('says so when the bytes are gone', async () => {
    const row = await artifacts.save(saving)
    await store.delete(row.storeKey)
    expect(await codeOf(artifacts.read({ organizationId: 'org/1', artifactId: 'art_1' }))).toBe('ARTIFACT_NOT_FOUND')
  })

  it('lists a run’s artifacts by type and page', async () => {
    for (const type of ['screenshot', 'download', 'screenshot'] as const) await artifacts.save({ ...saving, type })
    await artifacts.save({ ...saving, workflowRunId: 'wr_2' })
    const list = async (more: object = {}) =>
      (await artifacts.listByRun({ organizationId: 'org/1', workflowRunId: 'wr_1', ...more })).map((row) => row.artifactId)
    expect(await list()).toEqual(['art_1', 'art_2', 'art_3'])
    expect(await list({ type: 'screenshot' })).toEqual(['art_1', 'art_3'])
    expect(await list({ after: 'art_1', limit: 1 })).toEqual(['art_2'])
  })

  it('writes no row for bytes that could not be stored', async () => {
    expect(await codeOf(artifacts.save({ ...saving, body: Buffer.alloc(101) }))).toBe('ARTIFACT_TOO_LARGE')
    expect(await storage.count('artifacts')).toBe(0)
  })

  it('commits through the caller’s writer, and removes the bytes when that refuses', async () => {
    const held =
      (leaseFence: number): NonNullable<SaveArtifactParams['commit']> =>
      (batch) =>
        storage.commit([...batch, { op: 'update', table: 'runs', id: 'wr_1', where: { leaseFence }, set: {} }])
    await storage.commit([insertRun('wr_1', { leaseFence: 2 })])
    expect(await codeOf(artifacts.save({ ...saving, commit: held(1) }))).toBe('ARTIFACT_FAILED')
    expect(await store.head('org~2f~1/wr_1/art_1.pdf')).toBeUndefined()
    expect(await artifacts.save({ ...saving, commit: held(2) })).toMatchObject({ artifactId: 'art_2' })
    expect(told).toEqual([])
  })

  it('keeps the bytes when the answer of the commit was lost: the row may be there', async () => {
    const faulty = faultyStorage(storage, { failAtCall: 1, when: 'after' })
    const unlucky = new Artifacts({ storage: faulty, store, ids: sequentialIds() })
    await expect(unlucky.save(saving)).rejects.toThrow('made to fail')
    expect(await text((await artifacts.read({ organizationId: 'org/1', artifactId: 'art_1' })).body)).toBe('%PDF')
  })
})

describe('names of artifacts', () => {
  it.each([
    ['report.pdf', 'report.pdf'],
    ['/etc/passwd', 'passwd'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['..', 'file'],
    ['', 'file'],
    ['  . ', 'file'],
    ['.bashrc', 'bashrc'],
    ['a\u0000b\nc.txt', 'abc.txt'],
    ['gpj\u202e.exe', 'gpj.exe'],
    ['what?<is>|"this":*.txt', 'what__is___this___.txt'],
    ['con.txt', '_con.txt'],
    ['LPT1', '_LPT1'],
    ['Zoë 😀.csv', 'Zoë 😀.csv'],
    [`${'x'.repeat(300)}.tar`, `${'x'.repeat(116)}.tar`],
  ])('makes %j harmless', (given, expected) => {
    expect(safeFilename(given)).toBe(expected)
  })

  it('keeps only MIME types that can stand in a header', () => {
    expect(safeMimeType('text/html; charset=utf-8')).toBe('text/html; charset=utf-8')
    expect(safeMimeType('image/svg+xml')).toBe('image/svg+xml')
    for (const bad of ['', 'text', 'text/html\r\nX: y', 'a/b/c', `a/${'b'.repeat(200)}`])
      expect(safeMimeType(bad)).toBe('application/octet-stream')
  })

  it('makes different key segments of different ids', () => {
    expect(keySegment('acme')).toBe('acme')
    expect(new Set(['a/b', 'a.b', 'a b', 'a~b', 'ab', '', '..', '~'].map(keySegment)).size).toBe(8)
  })
})
