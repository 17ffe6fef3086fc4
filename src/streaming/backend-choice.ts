import { StreamingError } from '../errors/index.js'
import type { DisplayBackend, DisplayBackendKind, DisplayProbe } from './display.js'

/** What a display backend found on this machine. */
export type BackendReport = { readonly kind: DisplayBackendKind } & DisplayProbe

/** Picks the first backend that works on this machine, and can say why the others do not. */
export class BackendChoice {
  readonly #backends: readonly DisplayBackend[]
  readonly #probes = new Map<DisplayBackend, DisplayProbe>()

  constructor(backends: readonly DisplayBackend[]) {
    this.#backends = backends
  }

  /** Looks again at every backend. */
  async probeAll(): Promise<readonly BackendReport[]> {
    await Promise.all(this.#backends.map((backend) => this.#probe(backend)))
    return this.reports()
  }

  /** What the last looks found. */
  reports(): readonly BackendReport[] {
    return this.#backends.flatMap((backend) => {
      const probe = this.#probes.get(backend)
      return probe ? [{ kind: backend.kind, ...probe }] : []
    })
  }

  ofKind(kind: string | null): DisplayBackend | undefined {
    return this.#backends.find((backend) => backend.kind === kind)
  }

  /** @throws {StreamingError} `DISPLAY_PROGRAM_MISSING`, naming program, package and command of the first backend. */
  async pick(): Promise<DisplayBackend> {
    for (const backend of this.#backends) {
      // one that was missing may have been installed meanwhile
      const known = this.#probes.get(backend)
      const probe = known?.available ? known : await this.#probe(backend)
      if (probe.available) return backend
    }
    throw this.#missing()
  }

  async #probe(backend: DisplayBackend): Promise<DisplayProbe> {
    const probe = await backend.probe()
    this.#probes.set(backend, probe)
    return probe
  }

  #missing(): StreamingError {
    const missing = this.reports().filter((report) => !report.available)
    const [first] = missing
    if (first === undefined) return new StreamingError('No display backend is configured', { code: 'STREAM_UNAVAILABLE' })
    return new StreamingError(missing.map(({ reason }) => reason).join('; '), {
      code: 'DISPLAY_PROGRAM_MISSING',
      details: { program: first.program, installCommand: first.installCommand },
    })
  }
}
