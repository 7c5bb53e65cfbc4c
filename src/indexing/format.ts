// What is in an index file: its keys and their kinds.

/** What a key is of. The order is the order in the file. */
export const keyKind = { aggregate: 1, type: 2, namespace: 3, tag: 4 } as const

export type KeyKind = (typeof keyKind)[keyof typeof keyKind]

export const keyKinds: readonly KeyKind[] = [keyKind.aggregate, keyKind.type, keyKind.namespace, keyKind.tag]
