import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startFakeNode, type FakeNode } from '@holdfast/api-client/test-support'
import type { Command } from 'commander'
import { createProgram } from '../cli.ts'
import type { CommandContext } from '../commands/context.ts'
import { runCommandLine } from '../test-support/command-line.ts'
import { argumentsOf, complete, completionText } from './complete.ts'

const program = (): Command => createProgram({ columns: () => 80 } as CommandContext, '1')
const names: Readonly<Record<string, readonly string[]>> = {
  volume: ['disk0', 'disk1'],
  snapshot: ['before'],
  share: ['docs', 'My photos'],
  server: ['http://a:1'],
  operation: ['o1'],
}

async function completions(line: string): Promise<string[]> {
  const words = line.split(' ')
  const asked: string[] = []
  const { candidates, paths } = await complete(program(), words, async (kind, { operands, options }) => {
    asked.push([kind, ...operands, ...Object.entries(options).flat()].join(' '))
    return (names[kind] ?? []).map(value => ({ value, description: kind }))
  })
  return [...candidates.map(({ value }) => value), ...(paths === 'none' ? [] : [`:${paths}`])]
}

describe('what may come next', () => {
  for (const [line, expected] of [
    ['vol', ['volume']],
    ['volume s', ['show', 'snapshot']],
    ['volume show ', ['disk0', 'disk1']],
    ['volume show disk1', ['disk1']],
    ['volume show disk1 ', []],
    ['volume show --js', ['--json']],
    ['volume show --state ', [':folders']],
    ['volume show --state /x d', ['disk0', 'disk1']],
    ['volume snapshot d', ['delete', 'disk0', 'disk1']],
    ['volume snapshot delete disk0 ', ['before']],
    ['volume snapshot create disk0 ', []],
    ['volume create new --option no', ['no-auth']],
    ['volume create new --image ', [':files']],
    ['share show ', ['docs', 'My photos']],
    ['share create new ', [':folders']],
    ['user create x --role ', ['user', 'viewer', 'admin']],
    ['operation list --only can', ['cancelling', 'cancelled']],
    ['open list --share d', ['docs']],
    ['node list --server http://a:', ['http://a:1']],
    ['operation delete o', ['o1']],
    ['completion ', ['bash', 'zsh', 'fish']],
    ['cp ', [':files']],
    ['director --mode s', ['sticky']],
    ['server-agent --key-file ', [':files']],
    ['nothing such ', []],
  ] as const) {
    test(`holdfast ${line}|`, async () => assert.deepEqual(await completions(line), expected))
  }

  test('the hidden word is not offered', async () => assert.equal((await completions('')).includes('__complete'), false))

  test('every command that is spoken of is there, with as many arguments', () => {
    for (const [path, expected] of Object.entries(argumentsOf)) {
      let command: Command | undefined = program()
      for (const name of path.split(' ')) command = command?.commands.find(one => one.name() === name)
      assert.ok(command, path)
      assert.ok(command.registeredArguments.length >= expected.length, path)
    }
  })

  test('a line for each, tabs and line breaks left out of descriptions', () => {
    const candidates = [{ value: 'a', description: 'one\n\ttwo' }]
    assert.equal(completionText({ candidates, paths: 'files' }), 'a\tone two\n:files\n')
  })
})

describe('completion in a shell', () => {
  let folder = ''
  let node: FakeNode
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-completion-'))
    mkdirSync(join(folder, 'state'))
    mkdirSync(join(folder, 'stuff'))
    writeFileSync(join(folder, 'sums.txt'), '')
    const shares = [
      { name: 'docs', path: '/srv' },
      { name: 'My photos', path: '/srv' },
    ]
    const answers = {
      '/v1/volumes': [
        { name: 'disk0', target: 'a' },
        { name: 'other', target: 'b' },
      ],
      '/v1/shares': shares,
    }
    node = await startFakeNode({ socketPath: join(folder, 'state', 'control.sock'), answers })
  })
  after(async () => {
    await node[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const main = new URL('../main.ts', import.meta.url).pathname
  /** What bash offers for a line, as readline would ask; of files, their order is the filesystem's. */
  const bash = async (line: string): Promise<string[]> => {
    const script = (await runCommandLine(['completion', 'bash'], { cwd: folder })).out
    // As readline cuts words, with its default COMP_WORDBREAKS.
    const words = line.split(/(?<=[:=])|(?=[:=])| /)
    const call = `${script}
      holdfast() { "$NODE" "$MAIN" "$@"; }
      COMP_LINE=$1 COMP_POINT=\${#1}; shift
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      _holdfast holdfast
      printf '%s\\n' "\${COMPREPLY[@]}"`
    const { promise, resolve } = Promise.withResolvers<string>()
    const env = { ...process.env, NODE: process.execPath, MAIN: main }
    execFile('bash', ['-c', call, 'bash', line, ...words], { cwd: folder, env }, (_error, stdout, stderr) => resolve(stdout + stderr))
    const offered = (await promise).split('\n').filter(text => text !== '')
    return offered.sort()
  }

  for (const [line, expected] of [
    ['holdfast volume li', ['list']],
    ['holdfast volume show --state state ', ['disk0', 'other']],
    ['holdfast share show --state state My', ['My\\ photos']],
    ['holdfast volume create x --option block-size=5', ['512']],
    ['holdfast volume create x --image su', ['sums.txt']],
    ['holdfast volume list --state st', ['state', 'stuff']],
    ['holdfast volume show --state nowhere ', []],
  ] as const) {
    test(`bash: ${line}|`, async () => assert.deepEqual(await bash(line), expected))
  }

  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const isThere = spawnSync(shell, ['--version']).error === undefined
    test(`the script for ${shell} is one`, { skip: isThere ? false : `${shell} is not installed` }, async () => {
      const { out } = await runCommandLine(['completion', shell], { cwd: folder })
      const { status, stderr } = spawnSync(shell, ['-n'], { input: out, encoding: 'utf8' })
      assert.deepEqual([status, stderr], [0, ''])
    })
  }
})
