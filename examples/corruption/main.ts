// Looks for bugs in every version of the projection and prints what it finds: `npx tsx examples/corruption/main.ts`.

import { catchUp, hasty, repeating, skipping } from './balances.ts'
import { findings } from './find.ts'

async function main(): Promise<void> {
  for (const [name, projection] of Object.entries({ skipping, repeating, hasty, catchUp })) {
    console.log(`\n${name}`)
    for (const { property, story } of await findings(projection, { numRuns: 1_000 })) {
      console.log(
        story === undefined ? `  ok    ${property}` : `  found ${property}\n${story.replace(/^/gm, '          ')}`
      )
    }
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
