import { defineConfig } from 'tsup'

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    playwright: 'src/playwright/index.ts',
    http: 'src/http/index.ts',
    postgres: 'src/postgres/index.ts',
    testing: 'src/testing/index.ts',
  },
  format: 'esm',
  target: 'node20',
  dts: process.env.RUNWRIGHT_BUILD_TYPES !== 'false',
  clean: true,
  splitting: true,
  sourcemap: true,
  publicDir: 'src/http/public',
})
