const quietMs = 5_000

/** Progress as one line that is rewritten on a terminal, and as a line every few seconds elsewhere. */
export function createProgress(out = process.stdout, now = () => performance.now()) {
  const startedAt = now()
  let lastAt = Number.NEGATIVE_INFINITY
  let lastPhase
  let isLineOpen = false
  const elapsed = () => `${((now() - startedAt) / 1000).toFixed(0).padStart(3)} s`
  const close = () => {
    if (isLineOpen) out.write('\r\u001b[K')
    isLineOpen = false
  }
  return {
    elapsed,
    close,
    say(text) {
      close()
      out.write(`${text}\n`)
    },
    step({ phase, percent, text }) {
      const isDue = now() - lastAt >= (out.isTTY ? 100 : quietMs) || phase !== lastPhase
      if (!isDue) return
      lastAt = now()
      lastPhase = phase
      const line = `  ${elapsed()}  ${phase}${percent === undefined ? '' : ` ${String(percent).padStart(3)} %`}  ${text}`
      if (out.isTTY) out.write(`\r\u001b[K${line.slice(0, (out.columns ?? 80) - 1)}`)
      else out.write(`${line}\n`)
      isLineOpen = Boolean(out.isTTY)
    },
  }
}
