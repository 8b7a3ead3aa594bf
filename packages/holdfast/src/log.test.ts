import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from './log.ts'

test('json is one object a line; pretty is a line for people; the level is kept', () => {
  for (const [format, expected] of [
    ['json', /^\{"level":30,"time":"\d{4}-.*","pid":\d+,"address":"127.0.0.1","why":"two words","msg":"accepted"\}\n$/],
    ['pretty', /^\d\d:\d\d:\d\d\.\d{3} info {2}accepted {2}address=127\.0\.0\.1 why="two words"\n$/],
  ] as const) {
    const lines: string[] = []
    const log = createLogger({ level: 'info', format, write: line => lines.push(line) })
    log.debug('not this')
    log.info({ address: '127.0.0.1', why: 'two words' }, 'accepted')
    assert.equal(lines.length, 1)
    assert.match(lines[0], expected)
  }
})

test('an error is shown with its stack', () => {
  let text = ''
  createLogger({ level: 'info', format: 'pretty', write: line => (text += line) }).error({ err: new Error('lost') }, 'failed')
  assert.match(text, / error failed\n {2}Error: lost\n {6}at /)
})
