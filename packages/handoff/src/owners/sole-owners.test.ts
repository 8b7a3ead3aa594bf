import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as check, constantFrom, integer, property, record, string, tuple } from 'fast-check'
import { PrefixOwners } from './prefix-owners.ts'
import { parseOwnerWords } from './routes.ts'
import { SoleOwners } from './sole-owners.ts'

const [a, b, c] = ['10.0.0.1:7001', '10.0.0.2:7001', '10.0.0.3:7001']
const of = (...words: string[]): SoleOwners => new SoleOwners(parseOwnerWords(words), 10)

test('who has a target is told where its longest prefix has one agent', () => {
  const owners = of(`/=${a}`, `/videos/=${b}`, `/shared/=${a}`, `/shared/=${b}`, `/shared/x=${b}`)
  const table: readonly (readonly [string, string | undefined])[] = [
    ['/', a],
    ['/videos', a],
    ['/videos/1', b],
    ['/videos?/', a],
    ['/shared/1', undefined],
    ['/shared/x1', b],
    ['*', undefined],
    ['http://h/', undefined],
    ['h:80', undefined],
  ]
  for (const [target, agent] of table) assert.equal(owners.of('h', target), agent, target)
  assert.equal(of(`/videos/=${a}`).of('h', '/'), undefined, 'nobody has it')
})

test('hosts with routes of their own are left out, whatever the port and the case', () => {
  const owners = of(`/=${a}`, `example.org/videos/=${b}`)
  for (const host of ['example.org', 'Example.ORG:80']) assert.equal(owners.of(host, '/x'), undefined, host)
  for (const host of ['', 'example.net', 'www.example.org']) assert.equal(owners.of(host, '/x'), a, host)
  assert.deepEqual([...owners.byPrefix], [['/', a]])
})

test('of a prefix that is too long, only its beginning is there, and does not tell', () => {
  const routes = [`/=${a}`, `/123456789=${b}`, `/1234567890=${c}`, `/abcdefghi=${b}`]
  for (const words of [routes, routes.toReversed()]) {
    const owners = of(...words)
    const table: readonly (readonly [string, string | undefined])[] = [
      ['/12345678', a],
      ['/123456789', undefined],
      ['/12345678901', undefined],
      ['/abcdefghi', b],
      ['/abcdefghij', b],
    ]
    for (const [target, agent] of table) assert.equal(owners.of('', target), agent, target)
    assert.ok([...owners.byPrefix.keys()].every(({ length }) => length <= 10))
  }
})

test('whoever is told is the only one that PrefixOwners knows, and the one that the longest prefix in the list has', () => {
  const path = string({ unit: constantFrom('/', 'a', 'b'), maxLength: 6 }).map(text => `/${text}`)
  const route = record({
    prefix: tuple(constantFrom('', '', '', 'h', 'i'), path).map(parts => parts.join('')),
    agent: constantFrom(a, b, c),
  })
  const host = constantFrom('', 'h', 'H:80', 'g')
  check(
    property(array(route, { maxLength: 8 }), host, path, integer({ min: 1, max: 8 }), (list, requestHost, target, bytesMax) => {
      const words = [...new Set(list.map(({ prefix, agent }) => `${prefix}=${agent}`))]
      const routes = parseOwnerWords(words)
      const [sole, all] = [new SoleOwners(routes, bytesMax), new PrefixOwners(routes, () => 0)]
      for (const id of all.agents) all.setHealthy(id, true, -Infinity)
      const agent = sole.of(requestHost, target)
      if (agent === undefined) return
      assert.deepEqual([...all.candidates(requestHost, target)], [agent])
      const longest = [...sole.byPrefix.keys()].filter(prefix => target.startsWith(prefix)).toSorted((one, other) => other.length - one.length)[0]
      assert.equal(sole.byPrefix.get(longest ?? ''), agent)
    }),
    { numRuns: 2000 },
  )
})
