export { type FindChromiumParams, findChromium } from './chromium-finder.js'
export type { PlaywrightDriverOptions } from './options.js'
export { PlaywrightDriver } from './playwright-driver.js'
