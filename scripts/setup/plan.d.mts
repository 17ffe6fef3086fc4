/** What `detect` found: paths of programs, `undefined` for one that is not there. */
export interface Found {
  readonly platform: string
  readonly chromium?: string | undefined
  readonly tigervnc?: string | undefined
  readonly xvfbPair?: string | undefined
  readonly hasFonts: boolean
}

/** What `detectInstaller` found. */
export interface Installer {
  readonly isRoot: boolean
  readonly hasSudo: boolean
  readonly packageManager?: string | undefined
  readonly distribution?: string | undefined
  readonly hasPackageLists: boolean
}

export interface MissingItem {
  readonly id: 'browser' | 'display' | 'fonts'
  readonly what: string
  readonly why: string
  readonly withoutIt: string
}

export interface SetupPlan {
  readonly action: 'none' | 'install' | 'report'
  readonly missing: readonly MissingItem[]
  readonly brings: readonly MissingItem[]
  readonly packages: readonly string[]
  readonly commands: readonly (readonly string[])[]
  readonly notes: readonly string[]
  readonly reason: string | undefined
}

export const chromiumNames: readonly string[]
export function missingFrom(found: Found): MissingItem[]
export function planSetup(input: { found: Found; installer: Installer; env?: Readonly<Record<string, string | undefined>> }): SetupPlan
export function aptCommand(arguments_: readonly string[], installer: Installer): string[]
