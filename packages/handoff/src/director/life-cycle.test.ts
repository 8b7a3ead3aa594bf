import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, lifeCycle, lifeCycleText, states } from './life-cycle.ts'

test('the life of a connection: what each event does in each state', () => {
  const rows = lifeCycleText()
    .split('\n')
    .filter(line => line !== '' && !line.endsWith(': -'))
  assert.deepEqual(rows, [
    'reading + request: hand-over -> holding',
    'reading + unfit: proxy -> proxied',
    'reading + left: drop -> gone',
    'reading + idle: proxy -> proxied',
    'reading + replaced: drop -> gone',
    'opened + request: hand-over-again -> handing-again',
    'opened + unfit: restore -> proxied',
    'opened + left: close -> gone',
    'opened + partial: gather-first -> opened',
    'opened + aborted: forget-opened -> gone',
    'opened + idle: restore -> proxied',
    'opened + replaced: forget-opened -> gone',
    'holding + left: drop -> gone',
    'holding + accepted: settle -> handed',
    'holding + accepted-last: settle -> forwarded',
    'holding + refused: thaw -> proxied',
    'holding + agent-gone: thaw -> proxied',
    'holding + machine-gone: thaw -> proxied',
    'holding + replaced: drop -> gone',
    'handed + same-owner: send-on -> handed',
    'handed + partial: gather -> gathering',
    'handed + other-owner: release -> releasing',
    'handed + opaque: forward-all -> forwarded',
    'handed + aborted: pass-abort -> forwarded',
    'handed + closed: forget -> gone',
    'handed + machine-gone: reset -> gone',
    'handed + idle: forget -> gone',
    'handed + replaced: abandon -> gone',
    'forwarded + closed: forget -> gone',
    'forwarded + machine-gone: reset -> gone',
    'forwarded + idle: forget -> gone',
    'forwarded + replaced: abandon -> gone',
    'gathering + same-owner: send-on -> handed',
    'gathering + partial: gather -> gathering',
    'gathering + other-owner: release -> releasing',
    'gathering + opaque: forward-all -> forwarded',
    'gathering + overflow: reset -> gone',
    'gathering + aborted: pass-abort -> forwarded',
    'gathering + closed: forget -> gone',
    'gathering + machine-gone: reset -> gone',
    'gathering + idle: forget -> gone',
    'gathering + replaced: abandon -> gone',
    'releasing + released: hand-over-again -> handing-again',
    'releasing + busy: wait-for-ack -> releasing',
    'releasing + too-busy: finish -> finishing',
    'releasing + mute: reset -> gone',
    'releasing + aborted: pass-abort -> forwarded',
    'releasing + closed: forget -> gone',
    'releasing + machine-gone: reset -> gone',
    'releasing + idle: forget -> gone',
    'releasing + replaced: abandon -> gone',
    'finishing + closed: forget -> gone',
    'finishing + machine-gone: reset -> gone',
    'finishing + idle: forget -> gone',
    'finishing + replaced: abandon -> gone',
    'handing-again + accepted: settle-again -> handed',
    'handing-again + accepted-last: settle-again -> forwarded',
    'handing-again + refused: restore -> proxied',
    'handing-again + agent-gone: restore -> proxied',
    'handing-again + machine-gone: restore -> proxied',
    'handing-again + idle: forget -> gone',
    'handing-again + replaced: abandon -> gone',
  ])
  assert.equal(lifeCycleText().split('\n').length, states.length * events.length + 1)
})

test('from every state a connection can come to its end', () => {
  const isEnd = (state: string): boolean => state === 'gone' || state === 'proxied'
  for (const state of states) {
    if (isEnd(state)) assert.deepEqual(lifeCycle[state], {})
    else assert.ok(Object.values(lifeCycle[state]).some(([, next]) => isEnd(next)))
  }
})
