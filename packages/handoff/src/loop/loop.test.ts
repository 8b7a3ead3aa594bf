import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'
import { unsupportedReason } from '@holdfast/posix'
import { EPOLLIN, EPOLLOUT, EventDescriptor } from '@holdfast/posix/network'
import { DeadlineQueue } from './deadlines.ts'
import { Loop } from './loop.ts'

/** Runs until `done` or the loop is stopped; the test's own time limit ends what hangs. */
const runUntil = (loop: Loop, done: () => boolean): void => {
  while (!done()) loop.turn()
}

describe('a loop', { skip: unsupportedReason ?? false }, () => {
  test('calls the handler of what is there, and of nothing else', () => {
    using loop = new Loop()
    using one = new EventDescriptor()
    using two = new EventDescriptor()
    const calls: (readonly [string, number, number])[] = []
    loop.watch(one.fd, (events, fd) => {
      one.drain()
      calls.push(['one', events, fd])
    })
    loop.watch(two.fd, (events, fd) => {
      two.drain()
      calls.push(['two', events, fd])
    })
    two.signal()
    runUntil(loop, () => calls.length > 0)
    assert.deepEqual(calls, [['two', EPOLLIN, two.fd]])
    loop.modify(one.fd, EPOLLOUT)
    runUntil(loop, () => calls.length > 1)
    assert.deepEqual(calls[1], ['one', EPOLLOUT, one.fd])
    loop.unwatch(one.fd)
    two.signal()
    runUntil(loop, () => calls.length > 2)
    assert.equal(calls[2][0], 'two')
  })

  test('one descriptor may come before all others of a turn', () => {
    using loop = new Loop()
    using early = new EventDescriptor()
    using first = new EventDescriptor()
    const calls: string[] = []
    const note = (name: string, event: EventDescriptor) => () => {
      event.drain()
      calls.push(name)
    }
    loop.watch(early.fd, note('early', early))
    loop.watchFirst(first.fd, note('first', first))
    early.signal()
    first.signal()
    runUntil(loop, () => calls.length > 1)
    assert.deepEqual(calls, ['first', 'early'])
    loop.unwatch(first.fd)
    early.signal()
    runUntil(loop, () => calls.length > 2)
    assert.equal(calls[2], 'early')
  })

  test('an event of a descriptor that another handler has just ended goes to nobody, though its number is used again', () => {
    using loop = new Loop()
    const events = [new EventDescriptor(), new EventDescriptor()]
    let calls = 0
    let renewed = 0
    for (const [index, event] of events.entries()) {
      loop.watch(event.fd, () => {
        calls++
        const other = events[1 - index]
        const { fd } = other
        loop.unwatch(fd)
        other[Symbol.dispose]()
        const again = (events[1 - index] = new EventDescriptor())
        assert.equal(again.fd, fd, 'the kernel gives the lowest number that is free')
        loop.watch(fd, () => renewed++)
      })
      event.signal()
    }
    loop.turn()
    assert.deepEqual([calls, renewed], [1, 0])
    for (const event of events) event[Symbol.dispose]()
  })

  test('a watch that the kernel refuses is thrown', () => {
    using loop = new Loop()
    assert.throws(() => loop.watch(99_999, () => {}), { code: 'EBADF' })
  })

  test('what is asked for the end of a turn is done once, after handlers and deadlines, and may ask for more', () => {
    using loop = new Loop()
    using event = new EventDescriptor()
    const order: string[] = []
    loop.watch(event.fd, () => {
      event.drain()
      loop.atEndOfTurn(() => {
        order.push('end')
        loop.atEndOfTurn(() => order.push('end of the end'))
      })
      order.push('handler')
    })
    loop.after(0, () => order.push('deadline'))
    event.signal()
    runUntil(loop, () => order.includes('end'))
    assert.deepEqual(order, ['handler', 'deadline', 'end', 'end of the end'])
    loop.atEndOfTurn(() => order.push('outside'))
    loop.turn()
    assert.equal(order.at(-1), 'outside')
  })

  test('deadlines: after, cancelled, every, and a queue of them; never too early', () => {
    using loop = new Loop()
    const begin = loop.now()
    const calls: string[] = []
    loop.after(20, () => {
      assert.ok(loop.now() >= begin + 20)
      calls.push('20')
    })
    loop.after(5, () => {
      assert.ok(loop.now() >= begin + 5)
      calls.push('5')
    })
    loop.after(10, () => calls.push('cancelled')).cancel()
    let times = 0
    const repeated = loop.every(1, () => {
      if (++times === 3) repeated.cancel()
    })
    const queue = new DeadlineQueue<string>(item => calls.push(item))
    loop.addQueue(queue)
    queue.add('queue', 30, loop.now())
    runUntil(loop, () => calls.includes('queue') && times === 3)
    assert.deepEqual(calls.toSorted(), ['20', '5', 'queue'])
    loop.turn()
    assert.equal(times, 3)
  })

  test('now is CLOCK_MONOTONIC, and the same for a turn', () => {
    using loop = new Loop()
    loop.after(0, () => {
      const before = loop.now()
      assert.ok(Math.abs(before - Number(process.hrtime.bigint()) / 1e6) < 60_000)
      while (performance.now() === before);
      assert.equal(loop.now(), before)
      loop.stop()
    })
    loop.run()
  })

  test('what a handler throws ends run', () => {
    using loop = new Loop()
    loop.after(0, () => {
      throw new Error('from a deadline')
    })
    assert.throws(() => loop.run(), /from a deadline/)
  })

  const workerCode = `
    const { workerData } = require('node:worker_threads')
    import(workerData.module).then(({ Loop }) => {
      const loop = new Loop()
      workerData.port.postMessage(loop.wakeDescriptor)
      loop.onMessage(workerData.port, message => {
        if (message === 'stop') return loop.stop()
        workerData.port.postMessage(message * 2)
      })
      loop.run()
      loop[Symbol.dispose]()
      workerData.port.close()
    })`
  const module = new URL('./loop.ts', import.meta.url).href

  test('messages reach it in another thread, and its answers come back while it runs', async () => {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(workerCode, { eval: true, workerData: { module, port: port2 }, transferList: [port2] })
    const ended = new Promise<number>((resolve, reject) => void worker.on('exit', resolve).on('error', reject))
    const received: unknown[] = []
    await new Promise<void>(resolve => {
      let wake: EventDescriptor | undefined
      port1.on('message', message => {
        if (wake === undefined) wake = new EventDescriptor(message as number)
        else received.push(message)
        if (received.length === 4) {
          port1.postMessage('stop')
          resolve()
        } else if (received.length === 0) for (const number of [1, 2, 3]) port1.postMessage(number)
        else if (received.length === 3) port1.postMessage(4)
        wake.signal()
      })
    })
    assert.equal(await ended, 0)
    assert.deepEqual(received, [2, 4, 6, 8])
  })

  test('a process ends although its loop waits', { timeout: 20_000 }, () => {
    const code = `
      const { Worker, MessageChannel } = require('node:worker_threads')
      const { port1, port2 } = new MessageChannel()
      new Worker(${JSON.stringify(workerCode)}, { eval: true, workerData: { module: ${JSON.stringify(module)}, port: port2 }, transferList: [port2] })
      port1.on('message', () => process.exit(7))`
    assert.equal(spawnSync(process.execPath, ['--input-type=commonjs', '-e', code], { timeout: 15_000 }).status, 7)
  })
})
