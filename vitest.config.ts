// Unit tests and properties run together: one command answers whether the log keeps its promises.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    // Properties draw hundreds of logs each; the time limit only stops a hang, it asserts nothing.
    testTimeout: 120_000,
    hookTimeout: 60_000
  }
})
