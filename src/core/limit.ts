// Every limit of the format and of the engine, in one place. A limit that the writer obeys is the same constant that
// the reader trusts: nothing can be written that could not be read back.

/** The largest payload of one frame, in bytes: what 24 bits of the length word can say. */
export const payloadBytesMax = 0xff_ffff

/** The largest batch, in bytes of frames. A batch never leaves its segment, so this also bounds a segment. */
export const batchBytesMax: number = 256 * 1024 * 1024

/** The most events in one batch; each costs a receipt entry and an index entry that live until the batch is written. */
export const batchEventsMax = 65_536

/** How deep arrays and objects may nest in an event. JSON.stringify overflows the stack at some ten thousand. */
export const depthMax = 1_000

/** The longest name (aggregate id, event type, namespace, tag, event id, schema id), in bytes of UTF-8. */
export const nameBytesMax = 8_192

/** The most tags on one event. */
export const tagsMax = 256

/** When the active segment would grow over this many bytes of frames, the next batch opens a new segment. */
export const segmentBytesDefault: number = 64 * 1024 * 1024

/** The least a caller may ask for: small enough to roll often in tests, large enough for a header and an event. */
export const segmentBytesMin = 256

/** The most a caller may ask for. */
export const segmentBytesMax: number = 1024 * 1024 * 1024

/** The largest file that can be a segment: 32 bytes of header, and a batch that reaches over the limit. */
export const segmentFileBytesMax: number = 32 + segmentBytesMax + batchBytesMax

/** Appended bytes that may wait for their receipts before further appends are refused as Overloaded. */
export const pendingBytesDefault: number = 64 * 1024 * 1024

/** Half of a batch that stands unchanged at the log's end for so many ms has lost its writer. */
export const writerLostMsDefault = 10_000

/** A durable reader says so often that it is alive, in ms. */
export const heartbeatMsDefault = 10_000

/** The index of the active segment is saved every so many bytes of frames: what a crash leaves to be scanned. */
export const checkpointBytesDefault: number = 8 * 1024 * 1024

/** How many bytes of frames are gathered before a write: large writes gain nothing beyond this. */
export const groupBytes: number = 1024 * 1024

/** How many bytes replay reads at a time. */
export const chunkBytes: number = 256 * 1024

/** The stride of the sparse time index: one entry for the first frame that begins in each stride, in bytes. */
export const strideBytes = 4_096
