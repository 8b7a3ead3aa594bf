import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outgoing } from './outgoing.ts'

/** Memory that is either with the sender, sent or given back. */
function wire() {
  const sent: string[] = []
  let held = 0
  return {
    sent,
    get held() {
      return held
    },
    allocate(lengthBytes: number) {
      held++
      return Buffer.alloc(lengthBytes)
    },
    discard() {
      held--
    },
    sendPart(buffer: Buffer, fromBytes: number, lengthBytes: number) {
      held--
      sent.push(buffer.toString('latin1', fromBytes, fromBytes + lengthBytes))
    },
  }
}

const put = (out: Outgoing, text: string): void => {
  out.reserve(text.length).write(text, 'latin1')
  out.commit()
}

test('what a batch commits goes out with one write, in order', () => {
  const to = wire()
  const out = new Outgoing(to)
  put(out, 'one ')
  out.reserve(100)
  out.cancel()
  put(out, 'two ')
  out.flush()
  out.flush()
  assert.deepEqual([to.sent, to.held], [['one two '], 0])
})

test('what is detached goes out when it is filled, after what was committed meanwhile', () => {
  const to = wire()
  const out = new Outgoing(to)
  put(out, 'first ')
  out.reserve(5)
  const later = out.detach()
  put(out, 'second ')
  out.flush()
  put(out, 'third ')
  later.bytes.write('later', 'latin1')
  out.send(later)
  assert.deepEqual([to.sent, to.held], [['first second ', 'third ', 'later'], 0])
})

test('what is larger than a block has one of its own', () => {
  const to = wire()
  const out = new Outgoing(to)
  put(out, 'small ')
  put(out, 'x'.repeat(1 << 20))
  out.flush()
  assert.deepEqual(
    to.sent.map(text => text.length),
    [6, 1 << 20],
  )
  const dropped = (out.reserve(10), out.detach())
  out.discard(dropped)
  assert.equal(to.held, 0)
})
