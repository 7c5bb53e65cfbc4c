// The invented history of a small program that prints tide tables: what the sample is recorded from. One line is one
// commit: day · author · subject · files with the lines added and deleted (`*` binary, `x` removed).

import type { CommitDescription, FileAction, Person } from './fast-import.ts'

const people: Readonly<Record<string, Person>> = {
  ada: { name: 'Ada Brandt', email: 'ada@tides.example' },
  jon: { name: 'Jón Þórsson', email: 'jon@harbour.example' },
  mei: { name: 'Mei Tanaka', email: 'mei@tides.example' },
  rui: { name: 'Rui Sousa', email: 'rui@coast.example' }
}

const lines = `
0   ada | Begin | README.md+12 src/main.ts+30 package.json+18
0   ada | Read the constituents of a harbour | src/harbour.ts+54 src/main.ts+8-3
1   ada | Sum the constituents | src/tide.ts+71 src/main.ts+6-2
2   ada | Test the sum against one known week | test/tide.test.ts+44 data/brest.json+37
4   ada | Find high and low water | src/extremes.ts+48 test/extremes.test.ts+39 src/main.ts+9-4
5   ada | Print a table | src/table.ts+33 src/main.ts+5-7
9   mei | Count hours from the harbour's own midnight | src/tide.ts+12-9 src/zone.ts+28 test/tide.test.ts+15-2
10  mei | Test the zones | test/zone.test.ts+31
12  ada | Say how to add a harbour | README.md+17-2 docs/harbours.md+40
15  jon | Add Reykjavík | data/reykjavik.json+37
15  jon | Add Ísafjörður | data/ísafjörður.json+37
16  jon | Correct the datum of Reykjavík | data/reykjavik.json+2-2
20  ada | Refuse a harbour without constituents | src/harbour.ts+14-3 test/harbour.test.ts+26
24  mei | Draw the curve of a day | src/curve.ts+62 src/main.ts+7-1
25  mei | Test the curve | test/curve.test.ts+35
27  ada | Release 0.1 | package.json+1-1 CHANGELOG.md+9
33  rui | Add Lisboa and Leixões | data/lisboa.json+37 data/leixões.json+37
34  rui | Add a picture of the curve | docs/curve.png* README.md+3
41  ada | Read harbours once | src/harbour.ts+11-8
48  mei | Let the curve fit the terminal | src/curve.ts+19-11 test/curve.test.ts+8-3
55  ada | Trigger the build |
55  ada | Build on every push | .ci/build.yml+24
62  jon | Add Akureyri | data/akureyri.json+37
70  ada | Split the parsing from the reading | src/harbour.ts+9-31 src/parse.ts+38 test/parse.test.ts+29
71  ada | Name the bad line when parsing fails | src/parse.ts+13-4 test/parse.test.ts+17-1
80  mei | Speed the sum up by a table of cosines | src/tide.ts+34-19 bench/tide.ts+27
81  mei | Keep the table of cosines small | src/tide.ts+7-12
95  rui | Add Funchal | data/funchal.json+37
96  rui | Correct the phase of Leixões | data/leixões.json+3-3
110 ada | Release 0.2 | package.json+1-1 CHANGELOG.md+11
124 jon | Print the range of the day | src/table.ts+12-3 test/table.test.ts+30
130 ada | Move the data behind an interface | src/harbour.ts+16-10 src/source.ts+22 src/main.ts+6-6
131 ada | Read harbours from a folder of the user | src/source.ts+31-4 test/source.test.ts+33 README.md+8-1
140 mei | Warn beyond the years of the constituents | src/tide.ts+9-1 src/main.ts+5 test/tide.test.ts+11
151 rui | Translate the table to Portuguese | src/words.ts+26 src/table.ts+8-8
152 jon | Translate the table to Icelandic | src/words.ts+13
160 ada | Choose the language by an option | src/main.ts+11-2 src/words.ts+5-1 README.md+4
171 ada | Take a newer picture | docs/curve.png*
183 mei | Answer with JSON when asked | src/main.ts+9-3 src/json.ts+24 test/json.test.ts+22
190 mei | Give the offset of the zone in JSON | src/json.ts+4-1 test/json.test.ts+6-2
205 ada | Release 0.3 | package.json+1-1 CHANGELOG.md+14
219 jon | Find the next spring tide | src/spring.ts+41 test/spring.test.ts+28 src/main.ts+4
220 jon | Spell out what a spring tide is | docs/spring.md+19
233 ada | Replace the hand-made option parser | src/main.ts+17-38 src/options.ts+29
234 ada | Test the options | test/options.test.ts+34
247 mei | Interpolate extremes instead of stepping | src/extremes.ts+23-29 test/extremes.test.ts+12-6
248 mei | Remove the benchmark of the steps | bench/tide.ts-27x
262 rui | Add Ponta Delgada | data/ponta-delgada.json+37
275 ada | Rename words to language | src/words.ts-44x src/language.ts+43 src/table.ts+1-1 src/main.ts+1-1
288 jon | Round to centimetres everywhere | src/table.ts+3-3 src/json.ts+2-2 src/curve.ts+2-2 test/table.test.ts+4-4
301 mei | Fix the curve on days of 23 hours | src/curve.ts+6-2 src/zone.ts+5-1 test/zone.test.ts+14
302 mei | Fix the table on days of 25 hours | src/table.ts+4-2 test/table.test.ts+9
318 ada | Release 0.4 | package.json+1-1 CHANGELOG.md+16
333 rui | Describe the sources of the constituents | docs/harbours.md+21-6
340 ada | Cache what a folder holds | src/source.ts+18-5 test/source.test.ts+13
341 ada | Undo the cache: folders change | src/source.ts+5-18 test/source.test.ts-13
356 jon | Add Vestmannaeyjar | data/vestmannaeyjar.json+37
370 mei | Take leap seconds out again | src/zone.ts-9 test/zone.test.ts-7
384 ada | Say what the numbers are not good for | README.md+9
390 ada | Release 1.0 | package.json+1-1 CHANGELOG.md+12
`

/** The commits, with contents made up so that the counts of lines come out as they are written. */
export function inventedCommits(): readonly CommitDescription[] {
  const contents = new Map<string, readonly string[]>()
  return lines
    .trim()
    .split('\n')
    .map((line, index) => readLine(line, index, contents))
}

const firstTime = Date.UTC(2023, 2, 6, 9) / 1000

function readLine(line: string, index: number, contents: Map<string, readonly string[]>): CommitDescription {
  const [head = '', subject = '', files = ''] = line.split('|').map((part) => part.trim())
  const [day = '', who = ''] = head.split(/\s+/)
  const author = people[who]
  if (author === undefined) throw new Error(`line ${index}: there is no ${who}`)
  const words = files.split(' ').filter((word) => word !== '')
  return {
    author,
    authorTime: firstTime + Number(day) * 86_400 + index * 420,
    subject,
    files: words.map((word) => readFile(word, index, contents))
  }
}

function readFile(word: string, index: number, contents: Map<string, readonly string[]>): FileAction {
  const match = /^(.+?)(?:\+(\d+))?(?:-(\d+))?(\*|x)?$/.exec(word)
  const [, path = '', added = '0', deleted = '0', mark] = match ?? []
  if (mark === 'x') return { path, remove: true }
  if (mark === '*') return { path, content: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, index]) }
  const kept = (contents.get(path) ?? []).slice(Number(deleted))
  const fresh = Array.from({ length: Number(added) }, (_, place) => `line ${place} of commit ${index}`)
  contents.set(path, [...kept, ...fresh])
  return { path, content: [...kept, ...fresh].map((text) => `${text}\n`).join('') }
}
