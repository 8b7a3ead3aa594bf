import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseCursor } from '../events/cursor.ts'
import type { OperationState } from '../operations/states.ts'
import type { ClientState, Line } from './test-support/killed-core.ts'

const program = fileURLToPath(new URL('./test-support/killed-core.ts', import.meta.url))
const clients = 1000
const operations = 10

interface Told {
  readonly operation: string
  readonly state: OperationState
  readonly request: { readonly name: string }
}

/** What all lives have said. */
class Story {
  readonly states: ClientState[] = Array.from({ length: clients }, () => ({}))
  /** Numbers of the events that each client has read. */
  readonly numbers: number[][] = Array.from({ length: clients }, () => [])
  /** Operations by name: as received, and as told to have succeeded. */
  readonly received = new Map<string, Set<string>>()
  readonly succeeded = new Map<string, string[]>()
  readonly runs = new Map<string, boolean[]>()
  results = 0

  hear(line: Line): void {
    if (line.is === 'token') this.states[line.client].token = line.token
    else if (line.is === 'run') addTo(this.runs, line.name, line.again)
    else if (line.is === 'received') this.received.set(line.name, (this.received.get(line.name) ?? new Set()).add(line.operation))
    else this.#read(line.client, line.id, JSON.parse(line.data) as Told)
  }

  #read(client: number, id: string, { operation, state, request }: Told): void {
    this.states[client].cursor = id
    this.numbers[client].push(parseCursor(id)?.sequence ?? -1)
    if (state !== 'succeeded') return
    this.results++
    addTo(this.succeeded, request.name, operation)
  }
}

function addTo<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** One life: until so many results have been told, then `kill -9`; resolves when all it said has been read. */
function live(path: string, story: Story, results: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, path, String(operations)], { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.end(JSON.stringify(story.states))
    createInterface({ input: child.stdout }).on('line', line => {
      // The last one may be a part of a line: nobody has read it.
      if (!line.endsWith('}')) return
      story.hear(JSON.parse(line) as Line)
      const isOver = story.results >= results && (results < clients * operations || story.received.size === results)
      if (isOver) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('close', (code, signal) => (signal === 'SIGKILL' ? resolve() : reject(new Error(`it ended with ${code ?? signal}`))))
  })
}

test('1,000 sessions with 10 requests each, killed with -9 in the middle: every result is told once, nothing is done twice unknowingly', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-management-'))
  try {
    const story = new Story()
    const all = clients * operations
    for (const results of [all * 0.1, all * 0.5, all]) await live(join(folder, 'store.db'), story, results)
    for (const numbers of story.numbers) assert.deepEqual(numbers, numbers.map((_, at) => at + 1)) // prettier-ignore
    assert.equal(story.succeeded.size, all)
    for (const [name, ids] of story.succeeded) assert.deepEqual(ids, [...(story.received.get(name) ?? [])])
    for (const [name, runs] of story.runs) assert.ok(runs.slice(1).every(again => again), `${name} was begun anew`) // prettier-ignore
    assert.ok([...story.runs.values()].some(({ length }) => length > 1))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
