import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyBreakEvent, type BreakEvent, type BreakState } from './break-machine.ts'
import { stateName } from './caching-states.ts'
import { leaseState } from './testing-support.ts'

const events: readonly (readonly [name: string, event: BreakEvent, argument: number])[] = [
  ['keep RH', 'break', leaseState('RH')],
  ['keep RW', 'break', leaseState('RW')],
  ['keep -', 'break', 0],
  ['ack RWH', 'acknowledge', leaseState('RWH')],
  ['ack RH', 'acknowledge', leaseState('RH')],
  ['ack R', 'acknowledge', leaseState('R')],
  ['ack -', 'acknowledge', 0],
  ['timeout', 'timeout', 0],
]

const describeHolder = (holder: BreakState): string =>
  holder.phase === 'held'
    ? stateName(holder.state)
    : `${stateName(holder.state)}>${stateName(holder.breakingTo)}${holder.required === holder.breakingTo ? '' : `>>${stateName(holder.required)}`}`

const table = (kind: 'oplock' | 'lease', holders: readonly Omit<BreakState, 'kind'>[]): string =>
  holders
    .flatMap(start =>
      events.map(([name, event, argument]) => {
        const holder: BreakState = { kind, ...start }
        const before = describeHolder(holder)
        const { status, notice, finished } = applyBreakEvent(holder, event, argument)
        const sent = notice === undefined ? '' : ` send ${stateName(notice.from)}>${stateName(notice.to)}${notice.acknowledgementRequired ? '!' : ''}`
        return `${before.padEnd(12)} ${name.padEnd(8)} ${describeHolder(holder).padEnd(12)}${status === 'SUCCESS' ? '' : ` ${status}`}${sent}${finished ? ' finished' : ''}`.trimEnd()
      }),
    )
    .join('\n')

const held = (letters: string): Omit<BreakState, 'kind'> => ({ phase: 'held', state: leaseState(letters), breakingTo: 0, required: 0 })
const breaking = (letters: string, to: string, required = to): Omit<BreakState, 'kind'> => ({
  phase: 'breaking',
  state: leaseState(letters),
  breakingTo: leaseState(to),
  required: leaseState(required),
})

test('every state x event of a lease (MS-SMB2 3.3.4.7, 3.3.5.22.2)', () => {
  const holders = [
    ...['', 'R', 'RH', 'RW', 'RWH'].map(held),
    breaking('RWH', 'RH'),
    breaking('RWH', 'RW'),
    breaking('RWH', ''),
    breaking('RWH', 'RH', ''),
    breaking('RH', 'R'),
    breaking('RH', 'R', ''),
  ]
  assert.equal(
    table('lease', holders),
    `
-            keep RH  -
-            keep RW  -
-            keep -   -
-            ack RWH  -            UNSUCCESSFUL
-            ack RH   -            UNSUCCESSFUL
-            ack R    -            UNSUCCESSFUL
-            ack -    -            UNSUCCESSFUL
-            timeout  -
R            keep RH  R
R            keep RW  R
R            keep -   -            send R>-
R            ack RWH  R            UNSUCCESSFUL
R            ack RH   R            UNSUCCESSFUL
R            ack R    R            UNSUCCESSFUL
R            ack -    R            UNSUCCESSFUL
R            timeout  R
RH           keep RH  RH
RH           keep RW  RH>R         send RH>R!
RH           keep -   RH>-         send RH>-!
RH           ack RWH  RH           UNSUCCESSFUL
RH           ack RH   RH           UNSUCCESSFUL
RH           ack R    RH           UNSUCCESSFUL
RH           ack -    RH           UNSUCCESSFUL
RH           timeout  RH
RW           keep RH  RW>R         send RW>R!
RW           keep RW  RW
RW           keep -   RW>-         send RW>-!
RW           ack RWH  RW           UNSUCCESSFUL
RW           ack RH   RW           UNSUCCESSFUL
RW           ack R    RW           UNSUCCESSFUL
RW           ack -    RW           UNSUCCESSFUL
RW           timeout  RW
RWH          keep RH  RWH>RH       send RWH>RH!
RWH          keep RW  RWH>RW       send RWH>RW!
RWH          keep -   RWH>-        send RWH>-!
RWH          ack RWH  RWH          UNSUCCESSFUL
RWH          ack RH   RWH          UNSUCCESSFUL
RWH          ack R    RWH          UNSUCCESSFUL
RWH          ack -    RWH          UNSUCCESSFUL
RWH          timeout  RWH
RWH>RH       keep RH  RWH>RH
RWH>RH       keep RW  RWH>RH>>R
RWH>RH       keep -   RWH>RH>>-
RWH>RH       ack RWH  RWH>RH       REQUEST_NOT_ACCEPTED
RWH>RH       ack RH   RH           finished
RWH>RH       ack R    R            finished
RWH>RH       ack -    -            finished
RWH>RH       timeout  -            finished
RWH>RW       keep RH  RWH>RW>>R
RWH>RW       keep RW  RWH>RW
RWH>RW       keep -   RWH>RW>>-
RWH>RW       ack RWH  RWH>RW       REQUEST_NOT_ACCEPTED
RWH>RW       ack RH   RWH>RW       REQUEST_NOT_ACCEPTED
RWH>RW       ack R    R            finished
RWH>RW       ack -    -            finished
RWH>RW       timeout  -            finished
RWH>-        keep RH  RWH>-
RWH>-        keep RW  RWH>-
RWH>-        keep -   RWH>-
RWH>-        ack RWH  RWH>-        REQUEST_NOT_ACCEPTED
RWH>-        ack RH   RWH>-        REQUEST_NOT_ACCEPTED
RWH>-        ack R    RWH>-        REQUEST_NOT_ACCEPTED
RWH>-        ack -    -            finished
RWH>-        timeout  -            finished
RWH>RH>>-    keep RH  RWH>RH>>-
RWH>RH>>-    keep RW  RWH>RH>>-
RWH>RH>>-    keep -   RWH>RH>>-
RWH>RH>>-    ack RWH  RWH>RH>>-    REQUEST_NOT_ACCEPTED
RWH>RH>>-    ack RH   RH>R>>-      send RH>R!
RWH>RH>>-    ack R    -            send R>- finished
RWH>RH>>-    ack -    -            finished
RWH>RH>>-    timeout  -            finished
RH>R         keep RH  RH>R
RH>R         keep RW  RH>R
RH>R         keep -   RH>R>>-
RH>R         ack RWH  RH>R         REQUEST_NOT_ACCEPTED
RH>R         ack RH   RH>R         REQUEST_NOT_ACCEPTED
RH>R         ack R    R            finished
RH>R         ack -    -            finished
RH>R         timeout  -            finished
RH>R>>-      keep RH  RH>R>>-
RH>R>>-      keep RW  RH>R>>-
RH>R>>-      keep -   RH>R>>-
RH>R>>-      ack RWH  RH>R>>-      REQUEST_NOT_ACCEPTED
RH>R>>-      ack RH   RH>R>>-      REQUEST_NOT_ACCEPTED
RH>R>>-      ack R    -            send R>- finished
RH>R>>-      ack -    -            finished
RH>R>>-      timeout  -            finished
`.trim(),
  )
})

test('every state x event of an oplock: level II (R), exclusive (RW), batch (RWH) (MS-SMB2 3.3.4.6, 3.3.5.22.1)', () => {
  const holders = [...['', 'R', 'RW', 'RWH'].map(held), breaking('RWH', 'R'), breaking('RWH', ''), breaking('RW', 'R', '')]
  assert.equal(
    table('oplock', holders),
    `
-            keep RH  -
-            keep RW  -
-            keep -   -
-            ack RWH  -            INVALID_OPLOCK_PROTOCOL
-            ack RH   -            INVALID_OPLOCK_PROTOCOL
-            ack R    -            INVALID_OPLOCK_PROTOCOL
-            ack -    -            INVALID_OPLOCK_PROTOCOL
-            timeout  -
R            keep RH  R
R            keep RW  R
R            keep -   -            send R>-
R            ack RWH  R            INVALID_OPLOCK_PROTOCOL
R            ack RH   R            INVALID_OPLOCK_PROTOCOL
R            ack R    R            INVALID_OPLOCK_PROTOCOL
R            ack -    R            INVALID_OPLOCK_PROTOCOL
R            timeout  R
RW           keep RH  RW>R         send RW>R!
RW           keep RW  RW
RW           keep -   RW>-         send RW>-!
RW           ack RWH  RW           INVALID_OPLOCK_PROTOCOL
RW           ack RH   RW           INVALID_OPLOCK_PROTOCOL
RW           ack R    RW           INVALID_OPLOCK_PROTOCOL
RW           ack -    RW           INVALID_OPLOCK_PROTOCOL
RW           timeout  RW
RWH          keep RH  RWH>R        send RWH>R!
RWH          keep RW  RWH>R        send RWH>R!
RWH          keep -   RWH>-        send RWH>-!
RWH          ack RWH  RWH          INVALID_OPLOCK_PROTOCOL
RWH          ack RH   RWH          INVALID_OPLOCK_PROTOCOL
RWH          ack R    RWH          INVALID_OPLOCK_PROTOCOL
RWH          ack -    RWH          INVALID_OPLOCK_PROTOCOL
RWH          timeout  RWH
RWH>R        keep RH  RWH>R
RWH>R        keep RW  RWH>R
RWH>R        keep -   RWH>R>>-
RWH>R        ack RWH  -            INVALID_OPLOCK_PROTOCOL finished
RWH>R        ack RH   -            INVALID_OPLOCK_PROTOCOL finished
RWH>R        ack R    R            finished
RWH>R        ack -    -            finished
RWH>R        timeout  -            finished
RWH>-        keep RH  RWH>-
RWH>-        keep RW  RWH>-
RWH>-        keep -   RWH>-
RWH>-        ack RWH  -            INVALID_OPLOCK_PROTOCOL finished
RWH>-        ack RH   -            INVALID_OPLOCK_PROTOCOL finished
RWH>-        ack R    -            finished
RWH>-        ack -    -            finished
RWH>-        timeout  -            finished
RW>R>>-      keep RH  RW>R>>-
RW>R>>-      keep RW  RW>R>>-
RW>R>>-      keep -   RW>R>>-
RW>R>>-      ack RWH  -            INVALID_OPLOCK_PROTOCOL finished
RW>R>>-      ack RH   -            INVALID_OPLOCK_PROTOCOL finished
RW>R>>-      ack R    -            send R>- finished
RW>R>>-      ack -    -            finished
RW>R>>-      timeout  -            finished
`.trim(),
  )
})
