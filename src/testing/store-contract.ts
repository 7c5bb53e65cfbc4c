// The contract of port/store.ts as tests that any implementation runs, without a test runner inside. Each is a law in
// one sentence and gets a log without events of its own.
//
// What only some stores can be shown is a capability: true, and then the fixture has it, or the reason for skipping.

import type { ContractTest } from './disk-contract.ts'
import { appendLaws } from './store-append-laws.ts'
import { conditionLaws } from './store-condition-laws.ts'
import { clockLaws, closeLaws, damageLaws, readerLaws, reopenLaws } from './store-life-laws.ts'
import { liveLaws, liveReaderLaws } from './store-live-laws.ts'
import type { StoreFixture, StoreLaw } from './store-probe.ts'
import { readLaws } from './store-read-laws.ts'
import { trimLaws, trimReaderLaws, trimReopenLaws } from './store-trim-laws.ts'

type Capability = true | { readonly skip: string }

/** What the store under test can do beyond the least; what it cannot is given with a reason. */
export interface StoreCapabilities {
  /** `reopen`: the log is still there when it was closed. */
  readonly reopen: Capability
  /** `openReader`: others may read the log while it is written. */
  readonly reader: Capability
  /** `setTime`: the test sets the clock. */
  readonly clock: Capability
  /** `damage`, with `reopen`: what is stored can be made unreadable behind the store's back. */
  readonly damage: Capability
}

/** All laws of the store port. `make` is called once a test; what it made is cleaned up after it. */
export function storeContract(
  make: () => Promise<StoreFixture>,
  capabilities: StoreCapabilities
): readonly ContractTest[] {
  const { reopen, reader, clock, damage } = capabilities
  const chapters: readonly (readonly [readonly StoreLaw[], Capability])[] = [
    [appendLaws, true],
    [conditionLaws, true],
    [readLaws, true],
    [trimLaws, true],
    [liveLaws, true],
    [closeLaws, true],
    [reopenLaws, reopen],
    [trimReopenLaws, reopen],
    [readerLaws, reader],
    [liveReaderLaws, reader],
    [trimReaderLaws, reader],
    [clockLaws, clock],
    [damageLaws, damage]
  ]
  return chapters.flatMap(([laws, capability]) =>
    laws.map((law) => prepared(law, capability === true ? undefined : capability.skip, make))
  )
}

function prepared([name, hold]: StoreLaw, skip: string | undefined, make: () => Promise<StoreFixture>): ContractTest {
  const run = async (): Promise<void> => {
    const fixture = await make()
    try {
      await hold(fixture.store, fixture)
    } finally {
      // Closed by now, or by a law that failed left open.
      await fixture.store.close()
      await fixture.cleanup()
    }
  }
  return { name, skip, run }
}
