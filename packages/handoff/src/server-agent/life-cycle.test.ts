import assert from 'node:assert/strict'
import test from 'node:test'
import { lifeCycle, lifeCycleStates } from './life-cycle.ts'
import type { LifeCycleEvent } from './life-cycle.ts'

const printed = (): string[] =>
  lifeCycleStates.flatMap(state =>
    Object.entries(lifeCycle[state]).map(([event, [action, next]]) => `${state} ${event}: ${action}${next === state ? '' : ` → ${next}`}`),
  )

test('the life of a second connection, whole', () => {
  assert.deepEqual(printed(), [
    'gone handOff: begin → handshake',
    'gone newer: nothing',
    'gone answered: nothing',
    'gone failed: nothing',
    'gone packet: keep',
    'gone release: released',
    'gone releaseEarly: released',
    'gone releaseUnclear: released',
    'gone releaseFinish: released',
    'gone releaseReset: released',
    'gone ended: nothing',
    'gone quiet: nothing',
    'gone idle: nothing',
    'gone taken: nothing',
    'handshake handOff: nothing',
    'handshake newer: reset → gone',
    'handshake answered: accept → established',
    'handshake failed: refuse → gone',
    'handshake packet: keep',
    'handshake release: resetAndRelease → gone',
    'handshake releaseEarly: resetAndRelease → gone',
    'handshake releaseUnclear: resetAndRelease → gone',
    'handshake releaseFinish: resetAndRelease → gone',
    'handshake releaseReset: resetAndRelease → gone',
    'handshake ended: nothing',
    'handshake quiet: nothing',
    'handshake idle: resetAndClose → gone',
    'handshake taken: nothing',
    'established handOff: accept',
    'established newer: reset → gone',
    'established answered: nothing',
    'established failed: nothing',
    'established packet: inject',
    'established release: resetAndRelease → gone',
    'established releaseEarly: busy',
    'established releaseUnclear: finishBusy → finishing',
    'established releaseFinish: finish → finishing',
    'established releaseReset: resetAndRelease → gone',
    'established ended: nothing → closing',
    'established quiet: endAndClose → gone',
    'established idle: resetAndClose → gone',
    'established taken: forgetAndClose → gone',
    'finishing handOff: accept',
    'finishing newer: reset → gone',
    'finishing answered: nothing',
    'finishing failed: nothing',
    'finishing packet: inject',
    'finishing release: resetAndRelease → gone',
    'finishing releaseEarly: busy',
    'finishing releaseUnclear: busy',
    'finishing releaseFinish: released',
    'finishing releaseReset: resetAndRelease → gone',
    'finishing ended: nothing → closing',
    'finishing quiet: endAndClose → gone',
    'finishing idle: resetAndClose → gone',
    'finishing taken: forgetAndClose → gone',
    'closing handOff: accept',
    'closing newer: reset → gone',
    'closing answered: nothing',
    'closing failed: nothing',
    'closing packet: inject',
    'closing release: forgetAndRelease → gone',
    'closing releaseEarly: busy',
    'closing releaseUnclear: busy',
    'closing releaseFinish: released',
    'closing releaseReset: resetAndRelease → gone',
    'closing ended: nothing',
    'closing quiet: endAndClose → gone',
    'closing idle: forgetAndClose → gone',
    'closing taken: forgetAndClose → gone',
  ])
})

test('whatever has begun can end', () => {
  const endings: readonly LifeCycleEvent[] = ['idle', 'releaseReset']
  for (const state of lifeCycleStates) for (const event of endings) assert.equal(lifeCycle[state][event][1], 'gone', `${state} ${event}`)
})
