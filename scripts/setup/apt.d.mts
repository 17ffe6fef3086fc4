import type { Installer } from './plan.mjs'

export interface ProgressStep {
  readonly phase: string
  readonly percent?: number
  readonly text: string
}

export interface InstallParams {
  readonly packages: readonly string[]
  readonly installer: Installer
  readonly progress: { say(text: string): void; step(step: ProgressStep): void }
  /** @default 2000 */
  readonly lockRetryMs?: number
}

export type InstallResult =
  | { readonly ok: true; readonly lines: readonly string[] }
  | { readonly ok: false; readonly command: readonly string[]; readonly lines: readonly string[] }

export function installPackages(params: InstallParams): Promise<InstallResult>
export function progressOf(line: string): ProgressStep | undefined
export function listsAreOld(lines: readonly string[]): boolean
