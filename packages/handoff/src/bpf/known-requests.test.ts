import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BpfMap } from '@holdfast/posix/bpf'
import { errno } from '@holdfast/posix'
import { OwnerKey, OwnerValue } from './known-layouts.ts'
import { KnownRequests, prefixBytesMax } from './known-requests.ts'
import type { OwnersByPrefix } from './known-requests.ts'
import type { RequestLead } from './request-lead.ts'
import { Random } from './test-support/random.ts'

const address = Buffer.alloc(16, 1)
const owner = (port: number) => ({ address, port })

/** A trie as the kernel has it, that is looked at after each change. */
class Trie {
  readonly ports = new Map<string, number>()
  room = 1000
  onChange = (): void => {}

  update(key: Buffer, value: Buffer, flags = 0): number {
    assert.deepEqual([key.length, value.length], [OwnerKey.bytes, OwnerValue.fixedSize])
    const prefix = this.#prefixOf(key)
    if (flags === 2 && !this.ports.has(prefix)) return -errno.ENOENT
    if (!this.ports.has(prefix) && this.ports.size === this.room) return -errno.E2BIG
    this.ports.set(prefix, OwnerValue.decode(value).port)
    this.onChange()
    return 0
  }

  remove(key: Buffer): number {
    assert.ok(this.ports.delete(this.#prefixOf(key)))
    this.onChange()
    return 0
  }

  #prefixOf(key: Buffer): string {
    const bits = key.readUInt32LE()
    assert.ok(bits % 8 === 0 && bits <= OwnerKey.bitsMax)
    assert.ok(key.subarray(4 + bits / 8).every(byte => byte === 0))
    return key.toString('latin1', 4, 4 + bits / 8)
  }
}

/** 0: undecided, or nobody. */
function find(ports: ReadonlyMap<string, number | undefined>, target: string): number {
  for (let length = target.length; length > 0; length--) {
    const prefix = target.slice(0, length)
    if (ports.has(prefix)) return ports.get(prefix) ?? 0
  }
  return 0
}

const withMaps = () => {
  const trie = new Trie()
  let headers = 0
  const headerMap = {
    update: () => {
      headers++
      return 0
    },
    remove: () => 0,
    forEach: (visit: (key: Buffer) => void) => {
      for (; headers > 0; headers--) visit(Buffer.alloc(512))
    },
  }
  const known = new KnownRequests(trie as unknown as BpfMap, headerMap as unknown as BpfMap, undefined as unknown as RequestLead)
  return { trie, known, headers: () => headers }
}

const targets = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/b', '/b/a', '/c/a/b', '/ab', '/aa/b']
const prefixes = ['/', '/a', '/a/', '/a/b', '/a/b/', '/b', '/b/', '/c/', '/aa']

test('at no time while owners are replaced is one found that neither table has', () => {
  const random = new Random(3)
  const { trie, known } = withMaps()
  const table = (): OwnersByPrefix =>
    new Map(prefixes.filter(() => random.once(2)).map(prefix => [prefix, random.once(4) ? undefined : owner(1 + random.below(3))]))
  const portsOf = (owners: OwnersByPrefix): Map<string, number | undefined> => new Map(Array.from(owners, ([prefix, each]) => [prefix, each?.port]))
  let old = new Map<string, number | undefined>()
  let changes = 0
  for (let round = 0; round < 500; round++) {
    const owners = table()
    const fresh = portsOf(owners)
    const isNew = new Set<string>()
    trie.onChange = () => {
      changes++
      for (const target of targets) {
        const found = find(trie.ports, target)
        if (found === 0) isNew.add(target)
        const allowed = isNew.has(target) ? [0, find(fresh, target)] : [find(old, target), find(fresh, target)]
        assert.ok(allowed.includes(found), `${target}: ${found}, not ${allowed.join(' or ')}`)
      }
    }
    assert.ok(known.replaceOwners(owners))
    for (const target of targets) assert.equal(find(trie.ports, target), find(fresh, target))
    assert.equal(trie.ports.size, owners.size)
    old = fresh
  }
  assert.ok(changes > 1000)
})

test('where there is no room for all prefixes, nobody is found; then there is again', () => {
  const { trie, known } = withMaps()
  assert.ok(known.replaceOwners(new Map([['/a', owner(1)]])))
  trie.room = 2
  assert.equal(known.replaceOwners(new Map(['/', '/a', '/b'].map(prefix => [prefix, owner(2)]))), false)
  for (const target of targets) assert.equal(find(trie.ports, target), 0)
  assert.ok(known.replaceOwners(new Map([['/b', owner(3)]])))
  assert.deepEqual([...trie.ports], [['/b', 3]])
})

test('the longest prefix fits; header sections go with the owners they were told for', () => {
  const { trie, known, headers } = withMaps()
  const longest = `/${'x'.repeat(prefixBytesMax - 1)}`
  assert.ok(known.replaceOwners(new Map([[longest, owner(1)]])))
  assert.equal(find(trie.ports, `${longest}y`), 1)
  assert.ok(known.addHeader(Buffer.from('Host: h\r\n\r\n'), 0, 11))
  assert.equal(headers(), 1)
  known.replaceOwners(new Map([[longest, owner(1)]]))
  assert.equal(headers(), 0)
})
