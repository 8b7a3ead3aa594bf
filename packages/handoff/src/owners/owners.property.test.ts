import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PrefixOwners } from './prefix-owners.ts'
import { PrefixTree } from './prefix-tree.ts'
import { distanceOf, hashOf, seedOf } from './rendezvous.ts'

const seed = 20_261_121
const agent = (number: number): string => `10.0.${number >> 8}.${number & 255}:7001`

test('the tree finds what looking at every prefix finds', () => {
  const text = fc.string({ unit: fc.constantFrom('/', 'a', 'b'), maxLength: 8 })
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), fc.array(text, { minLength: 1, maxLength: 20 }), (prefixes, texts) => {
      const tree = new PrefixTree<string>()
      for (const prefix of prefixes) tree.set(prefix, prefix)
      for (const given of [...texts, ...prefixes]) {
        const wanted = prefixes.filter(prefix => given.startsWith(prefix)).sort((a, b) => b.length - a.length)[0]
        assert.equal(tree.find(given), wanted)
        assert.equal(tree.find(`xy${given}`, 2), wanted)
      }
    }),
    { numRuns: 500, seed },
  )
})

/** Who has each of many paths. */
function ownersOf(owners: PrefixOwners, paths: number): readonly (string | undefined)[] {
  return Array.from({ length: paths }, (_, i) => owners.candidates('', `/files/${i}.bin`)[0])
}

const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 12 })

test('when an agent goes, only its paths move; when it is back, they are its own again', () => {
  fc.assert(
    fc.property(numbers, fc.nat(), (all, which) => {
      const owners = new PrefixOwners([{ prefix: '/', agents: all.map(agent) }], () => 0)
      for (const id of owners.agents) owners.setHealthy(id, true, -Infinity)
      const before = ownersOf(owners, 300)
      const gone = agent(all[which % all.length])
      owners.setHealthy(gone, false, 0)
      const without = ownersOf(owners, 300)
      before.forEach((owner, i) => {
        if (owner === gone) assert.notEqual(without[i], gone)
        else assert.equal(without[i], owner)
      })
      owners.setHealthy(gone, true, -Infinity)
      assert.deepEqual(ownersOf(owners, 300), before)
    }),
    { numRuns: 60, seed },
  )
})

test('when an agent comes or gains weight, paths move to it and nowhere else; about as many as are its share', () => {
  fc.assert(
    fc.property(
      numbers,
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      fc.double({ min: 1.1, max: 4, noNaN: true }),
      ([first, ...others], weight, factor) => {
        const nearest = (agents: readonly { seed: number; weight: number }[], key: number): number => {
          const distances = agents.map(each => distanceOf(hashOf(`/files/${key}`), each))
          return distances.indexOf(Math.min(...distances))
        }
        const rest = others.map(number => ({ seed: seedOf(agent(number)), weight: 1 }))
        const grown = { seed: seedOf(agent(first)), weight: weight * factor }
        let moved = 0
        const paths = 2000
        for (let key = 0; key < paths; key++) {
          const before = nearest([{ ...grown, weight }, ...rest], key)
          const after = nearest([grown, ...rest], key)
          if (before === after) continue
          assert.equal(after, 0)
          moved++
        }
        const shareOf = (own: number): number => own / (own + rest.length)
        const wanted = shareOf(grown.weight) - shareOf(weight)
        assert.ok(Math.abs(moved / paths - wanted) < 0.05, `${moved / paths} moved, the share grew by ${wanted}`)
      },
    ),
    { numRuns: 60, seed },
  )
})

test('agents of the same weight have about as many paths each', () => {
  const owners = new PrefixOwners([{ prefix: '/', agents: Array.from({ length: 10 }, (_, i) => agent(i)) }], () => 0)
  for (const id of owners.agents) owners.setHealthy(id, true, -Infinity)
  const counts = new Map<string | undefined, number>()
  for (const owner of ownersOf(owners, 20_000)) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  assert.equal(counts.size, 10)
  // 2,000 each; a deviation of more than 5 sigma (√(20000·0.1·0.9) = 42) is no chance.
  for (const [owner, count] of counts) assert.ok(Math.abs(count - 2000) < 212, `${String(owner)}: ${count}`)
})
