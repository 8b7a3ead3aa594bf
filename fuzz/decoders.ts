/** Fuzzes everything that reads bytes from a network, one function at a time. */
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { root } from '../testing/run/root.ts'
import { readCorpus } from './capture.ts'
import { mutate, splice } from './mutate.ts'
import type { Random } from './random.ts'

/** Takes bytes of a peer; may throw MalformedError or AuthError, nothing else. */
export type Decoder = (bytes: Buffer) => unknown

/** A decoder with inputs to begin with. */
interface Target {
  readonly name: string
  readonly decode: Decoder
  readonly seeds: readonly Buffer[]
}

/** What a file named `*.decoders.ts` in a room exports. */
interface DecoderModule {
  readonly decoders: Readonly<Record<string, Decoder | { readonly decode: Decoder; readonly seeds?: readonly Uint8Array[] }>>
}

/** Errors that say "the peer sent something wrong". */
const allowed = new Set(['MalformedError', 'AuthError'])
const slowMs = 1000
const longestSeedBytes = 64 * 1024

/** What a run found. */
export interface DecoderFuzzResult {
  readonly targets: number
  readonly inputs: number
  /** How many inputs were accepted: a run in which none is tests nothing. */
  readonly accepted: number
  readonly findings: readonly string[]
}

/** All decoders: rooms keep theirs beside the code, in files named `*.decoders.ts`; what needs recordings is in `fuzz/rooms/`. */
export async function findDecoders(): Promise<Target[]> {
  const common = corpusSeeds()
  const files = globSync(['packages/*/src/**/*.decoders.ts', 'fuzz/rooms/*.decoders.ts'], { cwd: root }).sort()
  const modules = await Promise.all(files.map(async file => (await import(pathToFileURL(join(root, file)).href)) as DecoderModule))
  return modules.flatMap(({ decoders }, index) =>
    Object.entries(decoders).map(([name, entry]) => {
      const { decode, seeds = [] } = typeof entry === 'function' ? { decode: entry } : entry
      const own = seeds.map(seed => Buffer.from(seed))
      return { name: `${basename(files[index] ?? '', '.decoders.ts')}: ${name}`, decode, seeds: own.length > 0 ? own : common }
    }),
  )
}

/** Recorded messages, whole and without their header: something like it is what most decoders want. */
function corpusSeeds(): Buffer[] {
  const messages = readCorpus().flatMap(({ messages: all }) => all.map(({ bytes }) => bytes))
  const short = messages.filter(bytes => bytes.length <= longestSeedBytes)
  return [...short, ...short.filter(bytes => bytes.length > 64).map(bytes => bytes.subarray(64))]
}

function makeInput(target: Target, random: Random): Buffer {
  if (random.chance(0.1) || target.seeds.length === 0) return random.bytes(random.below(600))
  const seed = random.pick(target.seeds)
  if (random.chance(0.1)) return splice(seed, random.pick(target.seeds), random)
  return mutate(seed, random, { structured: random.chance(0.3), most: 4 })
}

/** Undefined when the decoder behaved; else what it did. */
async function misbehaviour(target: Target, input: Buffer, onAccepted: () => void): Promise<string | undefined> {
  const begin = performance.now()
  try {
    const result = target.decode(input)
    if (result instanceof Promise) await result
    onAccepted()
  } catch (error) {
    if (!(error instanceof Error && allowed.has(error.name))) return `threw ${inspect(error)}`
  }
  const ms = performance.now() - begin
  return ms > slowMs ? `took ${Math.round(ms)} ms for ${input.length} bytes` : undefined
}

/** Runs all decoders in turns until the time is over. A decoder with a finding is not run again. */
export async function fuzzDecoders(options: { seconds: number; random: Random; findings: string; only?: RegExp }): Promise<DecoderFuzzResult> {
  const { random, only } = options
  const targets = (await findDecoders()).filter(({ name }) => only === undefined || only.test(name))
  const until = performance.now() + options.seconds * 1000
  const findings: string[] = []
  const total = { inputs: 0, accepted: 0 }
  const dead = new Set<Target>()
  while (dead.size < targets.length && performance.now() < until) {
    for (const target of targets) {
      for (let count = 0; count < 200 && !dead.has(target); count++) {
        const input = makeInput(target, random)
        const original = Buffer.from(input)
        total.inputs++
        const what = await misbehaviour(target, input, () => total.accepted++)
        if (what === undefined) continue
        mkdirSync(options.findings, { recursive: true })
        const file = join(options.findings, `${target.name.replaceAll(/[^\w.-]/g, '_')}.bin`)
        writeFileSync(file, original)
        findings.push(`${target.name} ${what} (input in ${file})`)
        dead.add(target)
      }
    }
  }
  return { targets: targets.length, ...total, findings }
}
