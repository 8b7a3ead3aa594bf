/** A program that has been assembled: its bytes, and how to read them. */

import type { HelperName } from './opcodes.ts'
import { instructionBytes, pseudoMapFd } from './opcodes.ts'
import { describe } from './listing.ts'

/** One instruction, before labels and maps have numbers. */
export interface Instruction {
  readonly opcode: number
  readonly destination: number
  readonly source: number
  readonly offset: number
  readonly immediate: number
  /** Where labels are looked for first. */
  readonly scope: string
  /** Label that it jumps to. */
  readonly target?: string
  readonly mapName?: string
  readonly helper?: HelperName
  /** Of a 64-bit immediate. */
  readonly isSecondHalf?: boolean
}

/** A name for the instruction with this index. */
export interface Label {
  /** With the scopes it is in: `ipv4.parse.end`. */
  readonly path: string
  readonly index: number
}

/** See the top of the file. */
export class Program {
  readonly name: string
  readonly #instructions: readonly Instruction[]
  readonly #labels: readonly Label[]
  readonly #indices: ReadonlyMap<string, number>
  /** Of each instruction, where it jumps to: the label's path. */
  readonly #targets: readonly (Label | undefined)[]

  constructor(name: string, instructions: readonly Instruction[], labels: readonly Label[]) {
    this.name = name
    this.#instructions = instructions
    this.#labels = labels
    this.#indices = new Map(labels.map(({ path, index }) => [path, index]))
    this.#targets = instructions.map(instruction =>
      instruction.target === undefined ? undefined : this.#find(instruction.scope, instruction.target),
    )
  }

  get length(): number {
    return this.#instructions.length
  }

  /** Names of the maps it uses. */
  get maps(): readonly string[] {
    return [...new Set(this.#instructions.flatMap(({ mapName }) => mapName ?? []))]
  }

  /** Looks for a label in a scope and then in those around it. */
  #find(scope: string, target: string): Label {
    for (let prefix = scope; ; prefix = prefix.replace(/[^.]*\.$/, '')) {
      const index = this.#indices.get(prefix + target)
      if (index !== undefined) return { path: prefix + target, index }
      if (prefix === '') throw new Error(`${this.name}: there is no label ${scope}${target}`)
    }
  }

  /** The bytes, with descriptors of the maps. */
  bytes(maps: Readonly<Record<string, number>>): Buffer {
    const bytes = Buffer.alloc(this.length * instructionBytes)
    this.#instructions.forEach((instruction, index) => {
      const { mapName } = instruction
      const fd = mapName === undefined ? 0 : maps[mapName]
      if (fd === undefined) throw new Error(`${this.name}: there is no map ${mapName}`)
      const target = this.#targets[index]
      const at = index * instructionBytes
      bytes[at] = instruction.opcode
      bytes[at + 1] = ((mapName === undefined ? instruction.source : pseudoMapFd) << 4) | instruction.destination
      bytes.writeInt16LE(target === undefined ? instruction.offset : target.index - index - 1, at + 2)
      bytes.writeInt32LE((mapName === undefined ? instruction.immediate : fd) | 0, at + 4)
    })
    return bytes
  }

  /** As the verifier writes programs, with labels. */
  listing(): string {
    const lines = this.#instructions.map((instruction, index) => {
      if (instruction.isSecondHalf === true) return []
      return [...this.#labelsAt(index), `${String(index).padStart(5)}: ${describe(instruction, this.#targets[index]?.path)}`]
    })
    return `${lines.flat().join('\n')}\n`
  }

  /** What the verifier says, with labels in front of the instructions that have them. */
  explain(log: string): string {
    return log
      .split('\n')
      .flatMap(line => {
        const number = /^(\d+): \(/.exec(line)?.[1]
        return number === undefined ? [line] : [...this.#labelsAt(Number(number)), line]
      })
      .join('\n')
  }

  #labelsAt(index: number): string[] {
    return this.#labels.filter(label => label.index === index).map(({ path }) => `${path}:`)
  }
}
