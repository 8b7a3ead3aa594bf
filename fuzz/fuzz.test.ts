import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { unsupportedReason } from '@holdfast/posix'
import { FrameCutter, frameOf } from '../testing/peers/frames.ts'
import { decodeCapture, encodeRecord, readCorpus } from './capture.ts'
import { fuzzDecoders } from './decoders.ts'
import { fuzzHandoff } from './handoff.ts'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'

test('the same seed gives the same mutations', () => {
  const message = readCorpus()[0]?.messages[0]?.bytes ?? Buffer.alloc(0)
  const run = (): Buffer[] => {
    const random = new Random(7)
    return Array.from({ length: 50 }, () => mutate(message, random, { structured: true }))
  }
  assert.deepEqual(run(), run())
})

test('a mutation never changes the original', () => {
  const message = Buffer.alloc(200, 1)
  const random = new Random(1)
  for (let count = 0; count < 500; count++) mutate(message, random, { structured: true })
  assert.deepEqual(message, Buffer.alloc(200, 1))
})

test('frames are found wherever the stream is cut', () => {
  const stream = Buffer.concat([frameOf(Buffer.from('first')), frameOf(Buffer.alloc(0)), frameOf(Buffer.from('second'))])
  const cutter = new FrameCutter()
  const frames = [...stream].flatMap(byte => cutter.push(Buffer.from([byte])))
  assert.deepEqual(
    frames.map(frame => frame.subarray(4).toString()),
    ['first', '', 'second'],
  )
})

test('a capture file gives back what was recorded, by connection', () => {
  const record = (connection: number, fromClient: boolean, text: string): Buffer =>
    encodeRecord({ fromClient, connection, frame: frameOf(Buffer.from(text)) })
  const file = Buffer.concat([record(0, true, 'a'), record(1, true, 'b'), record(0, false, 'c')])
  const read = decodeCapture('x', file).map(({ messages }) => messages.map(({ fromClient, bytes }) => `${fromClient ? '>' : '<'}${bytes.toString()}`))
  assert.deepEqual(read, [['>a', '<c'], ['>b']])
})

test('the decoders bear two seconds of fuzzing', async () => {
  const { findings, targets, accepted } = await fuzzDecoders({ seconds: 2, random: new Random(20261121), findings: tmpdir() })
  assert.deepEqual(findings, [])
  assert.ok(targets > 100 && accepted > 1000, `${targets} decoders, ${accepted} inputs accepted`)
})

test('both ends of the hand-off protocol bear two seconds of fuzzing', { skip: unsupportedReason }, () => {
  const { findings, taken, checks } = fuzzHandoff({ seconds: 2, random: new Random(20261121), findings: tmpdir(), log: () => {} })
  assert.deepEqual(findings, [])
  assert.ok(taken > 1000 && checks > 1, `${taken} messages taken, ${checks} connections handed over`)
})
