import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OperationState as Schema } from '../api/schemas.ts'
import { isEnded, operationEvents, operationTransitions, transitionOf } from './states.ts'
import type { OperationEvent, OperationState } from './states.ts'

/** Rows are states, columns are events; `-` can't happen. */
const expected = `
state      | start       | progress        | done            | failed          | cancel          | cancel-uncancellable | undone        | undo-failed | restart
queued     | running run | -               | -               | -               | cancelled end   | cancelled end        | -             | -           | queued queue
running    | -           | running tell    | succeeded end   | failed end      | cancelling stop | running refuse       | -             | -           | running run-again
cancelling | -           | cancelling tell | cancelling undo | cancelling undo | cancelling none | -                    | cancelled end | failed end  | cancelling undo-again
succeeded  | -           | succeeded none  | -               | -               | succeeded refuse | succeeded refuse    | -             | -           | -
failed     | -           | failed none     | -               | -               | failed refuse   | failed refuse        | -             | -           | -
cancelled  | -           | cancelled none  | -               | -               | cancelled refuse | cancelled refuse    | -             | -           | -
`

test('the whole table: state x event -> next state, action', () => {
  const cell = (state: OperationState, event: OperationEvent): string => {
    const transition = operationTransitions[state][event]
    return transition === undefined ? '-' : `${transition.next} ${transition.action}`
  }
  const rows = [['state', ...operationEvents], ...Schema.options.map(state => [state, ...operationEvents.map(event => cell(state, event))])]
  const cells = expected
    .trim()
    .split('\n')
    .map(line => line.split('|').map(part => part.trim()))
  assert.deepEqual(rows, cells)
})

test('what is not in the table is an error of ours', () => {
  assert.throws(() => transitionOf('queued', 'done'), /done in state queued/)
})

test('an operation that has ended stays in its state', () => {
  for (const state of Schema.options.filter(isEnded)) {
    for (const transition of Object.values(operationTransitions[state])) assert.equal(transition.next, state)
  }
})
