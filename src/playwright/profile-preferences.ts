import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

type Preferences = { [key: string]: unknown }

/**
 * What no browser of ours may offer: to keep passwords (its bubble shows a typed one to whoever has the controls), cards or addresses;
 * and no bubble over the page after each download or translation.
 */
const PREFERENCES: Preferences = {
  credentials_enable_service: false,
  credentials_enable_autosignin: false,
  profile: { password_manager_enabled: false, password_manager_leak_detection: false },
  autofill: { profile_enabled: false, credit_card_enabled: false },
  download_bubble: { partial_view_enabled: false },
  translate: { enabled: false },
}

/** Writes them into a profile before its browser starts; what else stands there is kept. */
export async function writePreferences(profile: string): Promise<void> {
  const folder = join(profile, 'Default')
  const path = join(folder, 'Preferences')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const present = await readFile(path, 'utf8').then(parsePreferences, () => ({})) // a new profile has none
  await writeFile(path, JSON.stringify(mergePreferences(present, PREFERENCES)), { mode: 0o600 })
}

/** Deep merge of plain objects; the second wins. Pure. */
export function mergePreferences(present: Preferences, wanted: Preferences): Preferences {
  const merged = { ...present }
  for (const [key, value] of Object.entries(wanted)) {
    const old = merged[key]
    merged[key] = isPlain(old) && isPlain(value) ? mergePreferences(old, value) : value
  }
  return merged
}

function parsePreferences(text: string): Preferences {
  try {
    const value: unknown = JSON.parse(text)
    return isPlain(value) ? value : {}
  } catch {
    return {} // cut off by a crash: the browser would start anew, too
  }
}

const isPlain = (value: unknown): value is Preferences => typeof value === 'object' && value !== null && !Array.isArray(value)
