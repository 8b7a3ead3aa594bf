import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { introductionOf } from './options.ts'
import { root } from './root.ts'

/** Those who take words, and are called by people. */
const commands = ['testing', 'testing/continuity', 'bench', 'fuzz'].flatMap(folder =>
  readdirSync(join(root, folder))
    .map(name => `${folder}/${name}`)
    .filter(path => path.endsWith('.ts') && readFileSync(join(root, path), 'utf8').includes('parseOptions(import.meta.url')),
)

test('an introduction is the comment that a source begins with', () => {
  assert.equal(introductionOf('/**\n * One:\n *\n *     two  \n */\nimport 3\n/** four */\n'), 'One:\n\n    two')
  assert.equal(introductionOf('#!/usr/bin/env node\n/** One. */\n'), 'One.')
  assert.equal(introductionOf('import 3\n'), '')
})

test('there are commands to look at', () => assert.ok(commands.length > 15))

for (const command of commands) {
  test(`${command} says what it does, and what it does not understand`, () => {
    const help = spawnSync(process.execPath, [join(root, command), '--help'], { encoding: 'utf8' })
    assert.deepEqual([help.status, help.stderr], [0, ''])
    assert.match(help.stdout, /^`(npm|node) |^[A-Z]/)
    assert.match(help.stdout, /^ {4}(LINUX_CLIENT=\S+ )?(npm|node) /m, 'how it is called')
    const wrong = spawnSync(process.execPath, [join(root, command), '--no-such-word'], { encoding: 'utf8' })
    assert.equal(wrong.status, 2)
    assert.match(wrong.stderr, /^Unknown option '--no-such-word'.*\nTry --help\.\n$/)
  })
}
