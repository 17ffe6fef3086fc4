import { mkdtemp, readlink, rm, symlink } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { releaseStaleLock, verifyProfile } from '../../../src/playwright/profile-lock.js'
import type { LaunchSpec } from '../../../src/sessions/ports.js'

/** No process has it: it is above the kernel's limit. */
const DEAD = 4_194_305

describe('the lock on a profile', () => {
  let profile: string
  let lock: string
  beforeEach(async () => {
    profile = await mkdtemp(join(tmpdir(), 'runwright-lock-'))
    lock = join(profile, 'SingletonLock')
  })
  afterEach(() => rm(profile, { recursive: true }))
  const spec = (ownsDirectory: boolean) => ({ browserSessionId: 'bs_1', ownsDirectory }) as LaunchSpec
  const isThere = () =>
    readlink(lock).then(
      () => true,
      () => false,
    )

  it('that is not there is none', async () => {
    await releaseStaleLock(spec(false), profile)
    await releaseStaleLock(spec(true), profile)
  })

  it.each([
    ['a live process of this machine', `${hostname()}-${process.pid}`, false, 'PROFILE_LOCKED', true],
    ['a live process of this machine', `${hostname()}-${process.pid}`, true, 'PROFILE_LOCKED', true],
    ['another machine', 'elsewhere-7', false, 'PROFILE_LOCKED', true],
    ['another machine', 'elsewhere-7', true, null, false],
    ['a dead process', `${hostname()}-${DEAD}`, false, null, true],
    ['a dead process', `${hostname()}-${DEAD}`, true, null, false],
  ])('of %s (%s), in a folder of our own: %s', async (_who, target, ownsDirectory, code, isLeft) => {
    await symlink(target, lock)
    const error = await releaseStaleLock(spec(ownsDirectory), profile).catch((thrown: unknown) => thrown)
    expect((error as { code?: string } | undefined)?.code ?? null).toBe(code)
    expect(await isThere()).toBe(isLeft)
  })

  it('after a launch must name the browser that answers', async () => {
    const identity = { pid: process.pid, startTime: null }
    await symlink(`${hostname()}-${DEAD}`, lock)
    await expect(verifyProfile(spec(true), profile, identity)).rejects.toMatchObject({
      code: 'PROFILE_LOCKED',
      details: { holder: `process ${DEAD}`, profile },
    })
    await verifyProfile(spec(true), profile, null) // it cannot be told
  })

  it.skipIf(process.platform !== 'linux')('is not all: the browser’s command line names the profile too', async () => {
    const identity = { pid: process.pid, startTime: null }
    await symlink(`${hostname()}-${process.pid}`, lock)
    await expect(verifyProfile(spec(true), profile, identity)).rejects.toMatchObject({
      code: 'PROFILE_LOCKED',
      message: expect.stringContaining('another profile'),
    })
  })
})
