import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lines, table, timeText } from './table.ts'

test('columns stand below each other, the last one as it is', () => {
  const rows = [
    ['NAME', 'SIZE', 'OPTIONS'],
    ['disk0', '10 GiB', 'no-auth'],
    ['a', '1.5 GiB', ''],
  ]
  assert.equal(table(rows), 'NAME   SIZE     OPTIONS\ndisk0  10 GiB   no-auth\na      1.5 GiB\n')
  assert.equal(table(rows, { right: [1] }), 'NAME      SIZE  OPTIONS\ndisk0   10 GiB  no-auth\na      1.5 GiB\n')
})

test('colours change no width, and are left out where nobody sees them', () => {
  const rows = [['STATE', 'ID'], [{ text: 'failed', colour: 'red' }, 'o1'] as const]
  assert.equal(table(rows), 'STATE   ID\nfailed  o1\n')
  assert.equal(table(rows, { colours: true }), 'STATE   ID\n\u001b[31mfailed\u001b[0m  o1\n')
  assert.equal(lines([['state', { text: 'failed', colour: 'red' }]]), 'state      failed')
})

test('what comes from elsewhere cannot command the terminal', () => {
  assert.equal(table([['\u001b[2J']], { colours: true }), '?[2J\n')
  assert.equal(lines([['name', { text: '\u001b[2J', colour: 'bold' }]], { colours: true }), 'name       \u001b[1m?[2J\u001b[0m')
})

test('times are those of the API, to the second', () => assert.equal(timeText('2026-11-21T03:00:07.123Z'), '2026-11-21 03:00:07'))
