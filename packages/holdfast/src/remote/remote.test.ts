import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import type { ReadStream } from 'node:tty'
import { findPassword, promptHidden } from './password.ts'
import { createProgress, progressLine } from './progress.ts'
import { parseRemoteUrl } from './url.ts'

describe('smb URLs', () => {
  test('are taken apart and decoded', () => {
    assert.deepEqual(parseRemoteUrl('smb://alice@server:4450/docs/a%20b/c%25.txt'), {
      host: 'server',
      port: 4450,
      user: 'alice',
      domain: '',
      share: 'docs',
      path: 'a b/c%.txt',
      isFolder: false,
    })
    const { host, port, user, domain, share, path, isFolder } = parseRemoteUrl('SMB://WORK;bob@[fe80::1]/docs//x/./100%/')
    assert.deepEqual([host, port, user, domain, share, path, isFolder], ['fe80::1', 445, 'bob', 'WORK', 'docs', 'x/100%', true])
    assert.deepEqual([parseRemoteUrl('smb://server').share, parseRemoteUrl('smb://server').user], ['', ''])
  })

  test('with "..", a backslash, a bad port or a password are refused; the password is not repeated', () => {
    for (const text of [
      'smb://',
      'smb://a@h:99999/x',
      'smb://a@h/x/../y',
      'smb://a@h/x/%2e%2e',
      'smb://a@h/x/a%5Cb',
      'smb://a@h/x/a%2Fb',
      'smb://a@h/%FF',
      'ftp://h/',
      'smb://a:hunter2@h/x',
      'smb://a:hunter2@/x',
    ]) {
      assert.throws(
        () => parseRemoteUrl(text),
        (error: Error) => error.name === 'ConfigError' && !error.message.includes('hunter2'),
        text,
      )
    }
  })
})

describe('passwords', () => {
  test('come from the file, the environment, the prompt, in this order', async () => {
    const environment = { HOLDFAST_PASSWORD: 'env' }
    assert.equal(await findPassword('?', { environment }), 'env')
    assert.equal(await findPassword('?', { environment: {}, prompt: () => Promise.resolve('typed') }), 'typed')
    await assert.rejects(findPassword('?', { environment: {} }), { code: 'CONFIG' })
    await assert.rejects(findPassword('?', { environment, passwordFile: '/does/not/exist' }), { code: 'CONFIG' })
  })

  test('a prompt shows nothing of what is typed, and knows backspace and Ctrl-C', async () => {
    class Terminal extends EventEmitter {
      readonly raw: boolean[] = []
      setRawMode(on: boolean) {
        this.raw.push(on)
      }
      setEncoding() {}
      resume() {}
      pause() {}
    }
    const shown: Buffer[] = []
    const output = new PassThrough().on('data', (chunk: Buffer) => shown.push(chunk))
    const ask = () => {
      const terminal = new Terminal()
      return { terminal, answer: promptHidden('Password: ', terminal as unknown as ReadStream, output) }
    }
    const typed = ask()
    typed.terminal.emit('data', 'wrong\u0015secrex')
    typed.terminal.emit('data', '\u007ft\r')
    assert.equal(await typed.answer, 'secret')
    assert.deepEqual(typed.terminal.raw, [true, false])
    const cancelled = ask()
    cancelled.terminal.emit('data', 'x\u0003')
    await assert.rejects(cancelled.answer, { code: 'CANCELLED' })
    assert.equal(Buffer.concat(shown).toString(), 'Password: \nPassword: \n')
  })
})

describe('the progress bar', () => {
  test('shows name, share, bar, bytes, rate and time left in one line that fits', () => {
    const state = { name: 'film.mkv', total: 1000 * 2 ** 20, done: 250 * 2 ** 20, rate: 50 * 2 ** 20, elapsedMs: 5000 }
    assert.equal(progressLine({ ...state, columns: 90 }), 'film.mkv  25% [======>                 ] 250 MiB  50.0 MiB/s  0:15 left')
    for (let columns = 1; columns < 200; columns++)
      assert.ok(progressLine({ ...state, name: 'x'.repeat(300), columns }).length < columns, String(columns))
    assert.equal(progressLine({ ...state, total: undefined, columns: 60 }), 'film.mkv 250 MiB  50.0 MiB/s  0:05')
    assert.match(progressLine({ ...state, total: 0, done: 0, columns: 90 }), /100% \[=+\]/)
  })

  test('is drawn ten times a second at most, by the rate of the last seconds', () => {
    let now = 0
    const drawn: string[] = []
    const progress = createProgress({ write: text => void drawn.push(text), columns: () => 80, clock: () => now })
    progress.begin('a', 100 * 2 ** 20)
    for (let i = 0; i < 1000; i++) {
      now += 1
      progress.add(2 ** 10)
    }
    assert.equal(drawn.length, 10)
    assert.ok(drawn.at(-1)?.includes('1000 KiB/s'), String(drawn.at(-1)))
    progress.end()
    assert.equal(drawn.at(-1), '\r\u001b[K')
  })

  test('says that the connection is lost, in place of the rate, until it is back', () => {
    const drawn: string[] = []
    const progress = createProgress({ write: text => drawn.push(text), columns: () => 100, clock: () => 0 })
    progress.pause('connection lost, reconnecting...')
    assert.deepEqual(drawn, [])
    progress.begin('film.mkv', 2048)
    progress.add(1024)
    progress.pause('connection lost, reconnecting...')
    assert.match(drawn.at(-1) ?? '', /film\.mkv +50% .* KiB {2}connection lost, reconnecting\.\.\.$/)
    progress.pause(undefined)
    assert.match(drawn.at(-1) ?? '', /\/s/)
  })
})
