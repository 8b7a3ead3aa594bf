import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Command, HeaderFlags } from '../../messages/constants.ts'
import { NtStatus } from '../../messages/nt-status.ts'
import { enter, leave, OpenChannelState } from './channel-sequence.ts'

const { write, read, setInfo, ioctl, lock } = Command
const request = (command: number, channelSequence: number, replay = false) => ({
  command,
  channelSequence,
  flags: replay ? HeaderFlags.replayOperation : 0,
})

const seen = ({ sequence, outstanding, outstandingBefore }: OpenChannelState) => ({ sequence, outstanding, outstandingBefore })

describe('channel sequence (MS-SMB2 3.3.5.2.10)', () => {
  test('what comes of an older channel changes nothing, and may read', () => {
    const state = new OpenChannelState()
    assert.equal(enter(state, request(write, 1)), NtStatus.SUCCESS)
    for (const command of [write, setInfo, ioctl]) assert.equal(enter(state, request(command, 0)), NtStatus.FILE_NOT_AVAILABLE)
    for (const command of [read, lock]) assert.equal(enter(state, request(command, 0)), NtStatus.SUCCESS)
    assert.deepEqual(seen(state), { sequence: 1, outstanding: 1, outstandingBefore: 2 })
  })

  test('a replay waits until nothing of the older channel is under way', () => {
    const state = new OpenChannelState()
    const first = request(write, 0)
    enter(state, first)
    assert.equal(enter(state, request(write, 1, true)), NtStatus.FILE_NOT_AVAILABLE)
    assert.equal(enter(state, request(read, 1, true)), NtStatus.SUCCESS)
    leave(state, first.channelSequence)
    assert.equal(enter(state, request(write, 1, true)), NtStatus.SUCCESS)
    assert.deepEqual(seen(state), { sequence: 1, outstanding: 2, outstandingBefore: 0 })
  })

  test('the number wraps: 0x7fff ahead is newer, more is older', () => {
    const state = new OpenChannelState()
    state.sequence = 0xffff
    assert.equal(enter(state, request(write, 0x7ffe)), NtStatus.SUCCESS)
    assert.equal(state.sequence, 0x7ffe)
    assert.equal(enter(state, request(write, 0xfffe)), NtStatus.FILE_NOT_AVAILABLE)
  })

  test('what was counted in is counted out, also when the sequence has moved on meanwhile', () => {
    const state = new OpenChannelState()
    const requests = [request(read, 0), request(read, 0), request(read, 3)]
    for (const one of requests) enter(state, one)
    for (const one of requests) leave(state, one.channelSequence)
    assert.deepEqual(seen(state), { sequence: 3, outstanding: 0, outstandingBefore: 0 })
  })
})
