/** Makes tests of the cases: of ours against the specification, of smbd against the answers that were recorded. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { readAnswers } from './answers.ts'
import { unfold } from './case.ts'
import type { Case } from './case.ts'
import { ask } from './scene.ts'
import type { Target } from './target.ts'
import { askTogether } from './together.ts'

/** Our server answers every case as the specification says. */
export function suiteOfOurs(title: string, cases: readonly Case[], start: () => Promise<Target>): void {
  describe(title, { timeout: 300_000 }, () => {
    let target: Target
    before(async () => {
      target = await start()
    })
    after(async () => target?.[Symbol.asyncDispose]())
    for (const { one, share, name } of unfold(cases)) {
      test(name, async () => assert.equal(await ask(one, share, target), one.expect))
    }
  })
}

/** The same of cases in which the server's process ends. */
export function suiteOfFailovers(title: string, cases: readonly Case[], start: () => Promise<Target>): void {
  describe(title, { timeout: 120_000 }, () => {
    let target: Target
    let answers: ReadonlyMap<string, Promise<string>>
    const all = unfold(cases)
    before(async () => {
      target = await start()
      answers = askTogether(all, target)
    })
    after(async () => target?.[Symbol.asyncDispose]())
    for (const { one, name } of all) {
      test(name, async () => assert.equal(await answers.get(name), one.expect))
    }
  })
}

/** smbd answers as it did when the table was made: a case is right only while a server that nobody here has written understands it. */
export function suiteOfTheirs(title: string, cases: readonly Case[], start: () => Promise<Target>, skip: string | false): void {
  describe(title, { skip, timeout: 300_000 }, () => {
    let target: Target
    before(async () => {
      target = await start()
    })
    after(async () => target?.[Symbol.asyncDispose]())
    const answers = readAnswers()
    for (const { one, share, name } of unfold(cases)) {
      if (share !== 'plain' || one.oursOnly !== undefined) continue
      test(name, async () => assert.equal(await ask(one, share, target), answers.get(name)?.smbd))
    }
  })
}

/** The table has all cases, says of ours what the specification says, and of smbd something else only where the case has the reason. */
export function suiteOfTable(cases: readonly Case[]): void {
  test('the table of answers is that of the cases', () => {
    const answers = readAnswers()
    const all = unfold(cases)
    assert.deepEqual(
      [...answers.values()].map(({ name, section, ours }) => ({ name, section, ours })),
      all.map(({ one, name }) => ({ name, section: one.section, ours: one.expect })),
    )
    for (const { one, share, name } of all) {
      const { smbd } = answers.get(name)!
      const isAsked = share === 'plain' && one.oursOnly === undefined
      assert.equal(smbd === '-', !isAsked, name)
      if (isAsked) assert.equal(smbd !== one.expect, one.samba !== undefined, `${name}: smbd answers ${smbd}`)
    }
  })
}
