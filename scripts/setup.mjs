// Brings what npm cannot: Chromium, a display server and a font. Run by `npm test` and `npm run quickstart`.
// It always exits 0: what stays missing is reported here, and by name again where it is needed.
import { detect, detectInstaller } from './setup/detect.mjs'
import { missingFrom, planSetup } from './setup/plan.mjs'

const found = detect()
if (missingFrom(found).length > 0) await bring(found)

async function bring(found) {
  const installer = detectInstaller()
  const plan = planSetup({ found, installer, env: process.env })
  const { describe, reportFailure, reportMissing } = await import('./setup/report.mjs')
  if (plan.action === 'report') return console.log(reportMissing(plan))

  const [{ installPackages }, { createProgress }] = await Promise.all([import('./setup/apt.mjs'), import('./setup/progress.mjs')])
  console.log(describe(plan))
  const progress = createProgress()
  const result = await installPackages({ packages: plan.packages, installer, progress })
  progress.close()
  const left = missingFrom(detect())
  if (left.length > 0) return console.log(reportFailure({ plan, result, left }))
  console.log(`Set-up is complete after ${progress.elapsed().trim()}.`)
}
