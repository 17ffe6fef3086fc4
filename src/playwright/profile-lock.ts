import { readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BrowserLaunchError } from '../errors/index.js'
import type { LaunchSpec, ProcessIdentity } from '../sessions/ports.js'
import { lockHolder } from './launch-failure.js'

/** The links with which a Chromium says that a profile is its own. */
const LOCKS = ['SingletonLock', 'SingletonCookie', 'SingletonSocket']

/**
 * Reads Chromium's own lock before a profile is used: a headed Chromium would open a tab in the browser that holds it, and exit, or ask in a
 * window. One that a dead process left is taken away, and so is one that names another machine when the folder is the session's alone:
 * it came with a copy.
 * @throws {BrowserLaunchError} `PROFILE_LOCKED` when a live process of this machine, or one of another, has it
 */
export async function releaseStaleLock(spec: LaunchSpec, profile: string): Promise<void> {
  const lock = await readlink(join(profile, 'SingletonLock')).catch(() => null) // no lock: the usual case
  if (lock === null) return
  const holder = lockHolder(lock)
  if (holder !== null && !(spec.ownsDirectory === true && holder.startsWith('host '))) throw locked(spec, profile, holder)
  if (spec.ownsDirectory !== true) return // a dead process of this machine: Chromium sees that for itself
  for (const name of LOCKS) await rm(join(profile, name), { force: true })
}

/**
 * Tests that the browser that answers runs on the profile that was asked for: its lock names it, and so does its command line, where they
 * can be read.
 * @throws {BrowserLaunchError} `PROFILE_LOCKED`
 */
export async function verifyProfile(spec: LaunchSpec, profile: string, identity: ProcessIdentity | null): Promise<void> {
  if (identity === null) return
  const lock = await readlink(join(profile, 'SingletonLock')).catch(() => null) // Windows has none
  const lockedBy = lock === null ? null : Number(lock.slice(lock.lastIndexOf('-') + 1))
  if (lockedBy !== null && lockedBy !== identity.pid) throw locked(spec, profile, `process ${lockedBy}`)
  const commandLine = await readFile(`/proc/${identity.pid}/cmdline`, 'latin1').catch(() => null) // not Linux
  if (commandLine === null || commandLine === '') return
  const asked = Buffer.from(`--user-data-dir=${profile}`).toString('latin1')
  // titles that a process gives itself may stand blank-separated
  if (!commandLine.split(/[\0]/).includes(asked) && !`${commandLine} `.includes(`${asked} `)) {
    throw locked(spec, profile, `process ${identity.pid}, which has another profile`)
  }
}

function locked(spec: LaunchSpec, profile: string, holder: string): BrowserLaunchError {
  return new BrowserLaunchError(`The profile of session ${spec.browserSessionId} is in use by ${holder}`, {
    category: 'profile_locked',
    details: { browserSessionId: spec.browserSessionId, holder, profile },
  })
}
