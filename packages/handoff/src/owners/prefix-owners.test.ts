import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrefixOwners, slowStartMs } from './prefix-owners.ts'
import { parseOwnerWords } from './routes.ts'

const agent = (number: number): string => `10.0.0.${number}:7001`

function ownersOf(...words: readonly string[]): PrefixOwners {
  const owners = new PrefixOwners(parseOwnerWords(words), () => 0)
  for (const id of owners.agents) owners.setHealthy(id, true, -Infinity)
  return owners
}

test('the longest prefix wins, and a host wins over none', () => {
  const owners = ownersOf(
    `/=${agent(1)}`,
    `/videos/=${agent(2)}`,
    `/videos/new/=${agent(3)}`,
    `/video=${agent(4)}`,
    `example.org/=${agent(5)}`,
    `example.org/videos/=${agent(6)}`,
    `other.org/only/=${agent(7)}`,
    `[::1]/=${agent(8)}`,
  )
  const requests: readonly [string, string, number][] = [
    ['', '/', 1],
    ['', '/index.html', 1],
    ['', '/videos/a', 2],
    ['', '/videos/new/a?b', 3],
    ['', '/videos/new', 2],
    ['', '/videos', 4],
    ['', '/v', 1],
    ['example.org', '/', 5],
    ['EXAMPLE.org:8080', '/videos/new/a', 6],
    ['other.org', '/only/a', 7],
    ['other.org', '/videos/a', 2],
    ['[::1]', '/a', 8],
    ['[::1]:80', '/a', 8],
    // RFC 9112 3.2.2: the target counts, not the Host field.
    ['example.org', 'http://other.org/only/a', 7],
    ['example.org', 'http://nobody.org/videos/a', 2],
    ['', 'HTTP://example.org', 5],
    ['example.org', '*', 5],
    ['', '*', 1],
    ['', 'example.org:443', 1],
    ['', '', 1],
  ]
  for (const [host, target, number] of requests) assert.deepEqual(owners.candidates(host, target), [agent(number)], `${host} ${target}`)
})

test('nobody has what no prefix says', () => {
  assert.deepEqual(ownersOf(`/a/=${agent(1)}`).candidates('', '/b/'), [])
})

test('who is not healthy is left out, and so is everybody at first', () => {
  const owners = new PrefixOwners(parseOwnerWords([`/=${agent(1)}`, `/=${agent(2)}`, `/one/=${agent(1)}`]), () => 0)
  assert.deepEqual(owners.candidates('', '/'), [])
  owners.setHealthy(agent(2), true, -Infinity)
  assert.deepEqual(owners.candidates('', '/'), [agent(2)])
  assert.deepEqual(owners.candidates('', '/one/'), [])
  owners.setHealthy(agent(2), false, 0)
  assert.deepEqual(owners.candidates('', '/'), [])
  owners.setHealthy('10.9.9.9:1', true, 0)
  assert.deepEqual(owners.agents, [agent(1), agent(2)])
})

test('of a path, the query does not change the owner, and neither does the form of the target', () => {
  const owners = ownersOf(...[1, 2, 3, 4, 5].map(number => `/=${agent(number)}`))
  for (let i = 0; i < 100; i++) {
    const [first] = owners.candidates('', `/file${i}`)
    assert.equal(owners.candidates('', `/file${i}?a=${i}`)[0], first)
    assert.equal(owners.candidates('', `http://example.org/file${i}`)[0], first)
    assert.equal(new Set(owners.candidates('', `/file${i}`)).size, 5)
  }
})

test('an agent that becomes healthy takes its share over 10 s', () => {
  let now = 1_000_000
  const owners = new PrefixOwners(parseOwnerWords([`/=${agent(1)}`, `/=${agent(2)}`]), () => now)
  owners.setHealthy(agent(1), true, -Infinity)
  owners.setHealthy(agent(2), true, now)
  const share = (): number => {
    let count = 0
    for (let i = 0; i < 10_000; i++) if (owners.candidates('', `/file${i}`)[0] === agent(2)) count++
    return count / 10_000
  }
  /** Of two agents with weights 1 and w the second has w/(1+w). */
  const expected: readonly [number, number][] = [
    [0, 0],
    [0.25, 0.2],
    [0.5, 1 / 3],
    [1, 0.5],
    [5, 0.5],
  ]
  for (const [part, wanted] of expected) {
    now = 1_000_000 + part * slowStartMs
    const got = share()
    assert.ok(Math.abs(got - wanted) < 0.02, `${got} of the paths after ${part} of the time, not ${wanted}`)
  }
})

test('another table keeps the health of agents that stay', () => {
  const owners = ownersOf(`/=${agent(1)}`, `/a/=${agent(2)}`, `example.org/=${agent(2)}`)
  assert.deepEqual(owners.candidates('example.org', '/'), [agent(2)])
  owners.replace(parseOwnerWords([`/=${agent(2)}`, `/b/=${agent(3)}`]))
  assert.deepEqual(owners.agents, [agent(2), agent(3)])
  assert.deepEqual(owners.candidates('example.org', '/a/'), [agent(2)])
  assert.deepEqual(owners.candidates('', '/b/'), [])
})
