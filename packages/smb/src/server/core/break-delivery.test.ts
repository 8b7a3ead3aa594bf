import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deadAfterMs, deliverBreak, silentAfterMs } from './break-delivery.ts'
import type { BreakChannel } from './break-delivery.ts'

/** Channels by name that write down what is sent on them, and a clock that moves when told. */
function channels(states: Readonly<Record<string, 'alive' | 'silent' | 'gone'>>) {
  const sent: string[] = []
  const due: (() => void)[] = []
  const list = Object.entries(states).map(([name, state]): BreakChannel => ({
    send: () => state !== 'gone' && sent.push(name) > 0,
    isSilent: () => state === 'silent',
    close: () => void sent.push(`close ${name}`),
  }))
  const timers = {
    set: (action: () => void, delayMs: number) => {
      assert.ok([silentAfterMs, deadAfterMs].includes(delayMs))
      return due.push(action)
    },
    clear() {},
  }
  const pass = (): void => due.splice(0).forEach(action => action())
  return { list, sent, timers, pass }
}

describe('delivery of a break (MS-SMB2 3.3.4.6, 3.3.4.7)', () => {
  test('the first channel that takes it is the only one, where it is acknowledged', () => {
    const { list, sent, timers, pass } = channels({ a: 'gone', b: 'alive', c: 'alive' })
    assert.equal(
      deliverBreak(list, () => true, timers),
      true,
    )
    pass()
    pass()
    assert.deepEqual(sent, ['b'])
  })

  test('where nothing is acknowledged it goes out on the next one, in order, and not on those that are gone', () => {
    const { list, sent, timers, pass } = channels({ a: 'silent', b: 'gone', c: 'silent', d: 'alive', e: 'alive' })
    deliverBreak(list, () => true, timers)
    assert.deepEqual(sent, ['a'])
    pass()
    assert.deepEqual(sent, ['a', 'c'])
    pass()
    pass()
    pass()
    assert.deepEqual(sent, ['a', 'c', 'd'])
  })

  test('it is not sent again when it does not matter any more', () => {
    const { list, sent, timers, pass } = channels({ a: 'silent', b: 'alive' })
    let isDue = true
    deliverBreak(list, () => isDue, timers)
    isDue = false
    pass()
    assert.deepEqual(sent, ['a'])
  })

  test('where no channel is acknowledged, all are closed', () => {
    const { list, sent, timers, pass } = channels({ a: 'silent', b: 'silent' })
    deliverBreak(list, () => true, timers)
    pass()
    pass()
    assert.deepEqual(sent, ['a', 'b'])
    pass()
    assert.deepEqual(sent, ['a', 'b', 'close a', 'close b'])
  })

  test('there is no channel', () => {
    const { list, timers } = channels({ a: 'gone' })
    assert.equal(
      deliverBreak(list, () => true, timers),
      false,
    )
  })
})
