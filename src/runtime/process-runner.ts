import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** Starts child processes; argv arrays only, never a shell. Tests replace it. */
export interface ProcessRunner {
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess
}

export const systemProcessRunner: ProcessRunner = {
  spawn: (command, args, options) => spawn(command, [...args], { ...options, shell: false }),
}
