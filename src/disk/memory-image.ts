// The content of a file as copy-on-write pages. Cloning copies a list of references, so a test can keep the state of
// the disk after every call; a page is copied when it is first written after a clone, and zeros cost nothing.
//
// Invariant: no byte at or behind `bytes` is other than zero, so a file that grows shows zeros.

/** Small, as the files of crash tests are: a write of a few bytes copies this much after a clone. */
const pageBytes = 1_024

interface Page {
  /** The only image that may write into the page; a clone takes a new identity, which makes its pages foreign to it. */
  readonly owner: symbol
  readonly content: Uint8Array
}

export class Image {
  /** What this image signs its pages with; replaced by clone(). */
  #identity = Symbol('image')
  /** Sparse: an absent page is zeros. */
  #pages: (Page | undefined)[] = []
  /** The length of the content. */
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  clone(): Image {
    const copy = new Image()
    copy.#pages = this.#pages.slice()
    copy.#bytes = this.#bytes
    this.#identity = Symbol('image') // the pages are shared from now on, so neither may write into them
    return copy
  }

  /** Fills `target` from `position` on, up to the end. Returns the count. */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.#bytes)
    for (let at = position; at < end; at = pageEnd(at)) {
      const page = this.#pages[Math.floor(at / pageBytes)]
      const stop = Math.min(pageEnd(at), end)
      if (page === undefined) target.fill(0, at - position, stop - position)
      else target.set(page.content.subarray(at % pageBytes, (at % pageBytes) + stop - at), at - position)
    }
    return Math.max(0, end - position)
  }

  /** Writes all of `source`, growing the content where needed. */
  write(source: Uint8Array, position: number): void {
    const end = position + source.length
    if (end > this.#bytes && source.length > 0) this.#bytes = end
    for (let at = position; at < end; at = pageEnd(at)) {
      const stop = Math.min(pageEnd(at), end)
      this.#own(Math.floor(at / pageBytes)).set(source.subarray(at - position, stop - position), at % pageBytes)
    }
  }

  /** Cuts the content, or grows it with zeros. */
  resize(bytes: number): void {
    if (bytes < this.#bytes) {
      const pages = Math.ceil(bytes / pageBytes)
      if (this.#pages.length > pages) this.#pages.length = pages
      const last = pages - 1
      if (bytes % pageBytes !== 0 && this.#pages[last] !== undefined) this.#own(last).fill(0, bytes % pageBytes)
    }
    this.#bytes = bytes
  }

  /** The page's content, made or copied first if it is not this image's own. */
  #own(index: number): Uint8Array {
    const page = this.#pages[index]
    if (page?.owner === this.#identity) return page.content
    const content = page === undefined ? new Uint8Array(pageBytes) : page.content.slice()
    this.#pages[index] = { owner: this.#identity, content }
    return content
  }
}

/** The first position behind the page of `position`. */
function pageEnd(position: number): number {
  return position - (position % pageBytes) + pageBytes
}
