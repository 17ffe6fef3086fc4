import type { DisplayProbe } from '../display.js'
import type { Programs } from '../programs.js'

const PACKAGE = 'tigervnc-standalone-server'

/** Full path of TigerVNC's X server: `Xtigervnc`, or an `Xvnc` that says it is one (TightVNC and others use the name too). */
export async function findXvnc(programs: Programs): Promise<string | undefined> {
  const own = await programs.find('Xtigervnc')
  if (own !== undefined) return own
  const generic = await programs.find('Xvnc')
  if (generic === undefined) return undefined
  const { output } = await programs.ask(generic, ['-version'])
  return output.includes('TigerVNC') ? generic : undefined
}

/** What a machine without it is told. */
export function missingXvnc(): DisplayProbe {
  const installCommand = `apt-get install --no-install-recommends ${PACKAGE}`
  return {
    available: false,
    program: 'Xtigervnc',
    reason: `Xtigervnc was not found: it is in the package ${PACKAGE}; run: ${installCommand}`,
    installCommand,
  }
}
