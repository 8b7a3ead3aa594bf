import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { NtStatus } from '../../messages/nt-status.ts'
import { compilePattern } from './pattern.ts'
import { isShortName, listedShortName, looksGenerated, shortNameOf, ShortNames } from './short-name.ts'
import { sameName, upcaseName } from './upcase.ts'
import { parseCreateName, parseRenameTarget, wirePath } from './wire-name.ts'

const ok = (path: string, stream: string = '', streamType?: 'data' | 'index', mustBeFolder: boolean = false) => ({
  status: NtStatus.SUCCESS,
  path,
  stream,
  streamType,
  mustBeFolder,
})

test('names of CREATE become paths and streams (MS-FSCC 2.1.5)', () => {
  const cases: readonly (readonly [string, ReturnType<typeof ok>])[] = [
    ['', ok('')],
    ['a', ok('a')],
    ['a\\B\\ü.txt', ok('a/B/ü.txt')],
    ['a\\', ok('a', '', undefined, true)],
    ['a\\b:s', ok('a/b', 's', 'data')],
    ['b:s:$DaTa', ok('b', 's', 'data')],
    ['b::$data', ok('b', '', 'data')],
    ['b::$INDEX_ALLOCATION', ok('b', '', 'index', true)],
    ['b:$I30:$INDEX_ALLOCATION', ok('b', '', 'index', true)],
    [':s', ok('', 's', 'data')],
    ['b:\x05Stream\n One', ok('b', '\x05Stream\n One', 'data')],
    ['b:?Stream*:$DATA', ok('b', '?Stream*', 'data')],
    ['trailing. ', ok('trailing. ')],
    ['...', ok('...')],
    ['\ud800\\\udc00', ok('\ud800/\udc00')],
    ['x'.repeat(255), ok('x'.repeat(255))],
  ]
  for (const [name, expected] of cases) assert.deepEqual(parseCreateName(name), expected, JSON.stringify(name))
})

test('a slash separates components as a backslash does', () => {
  const parsed = parseCreateName('a/b\\c:s')
  assert.ok(parsed.status === NtStatus.SUCCESS)
  assert.deepEqual([parsed.path, parsed.stream], ['a/b/c', 's'])
})

test('`..` takes away the component before it', () => {
  for (const [name, path] of [
    ['a\\..', ''],
    ['a\\b\\..', 'a'],
    ['a\\b\\..\\..\\c', 'c'],
  ] as const) {
    const parsed = parseCreateName(name)
    assert.ok(parsed.status === NtStatus.SUCCESS)
    assert.equal(parsed.path, path)
  }
})

test('names that are none: OBJECT_NAME_INVALID, with a leading backslash INVALID_PARAMETER (MS-SMB2 3.3.5.9)', () => {
  for (const name of ['\\', '\\a', '\\\\server\\share']) assert.equal(parseCreateName(name).status, NtStatus.INVALID_PARAMETER)
  for (const name of ['..', '..\\a', '../a', 'a\\..\\..\\b']) assert.equal(parseCreateName(name).status, NtStatus.OBJECT_PATH_SYNTAX_BAD)
  const wrong = [
    'a\\\\b',
    'a\\\\',
    '.',
    'a\\.\\b',
    'a*',
    'a?',
    'a"',
    'a<',
    'a>',
    'a|',
    'a\0',
    'a\x1f',
    'x'.repeat(256),
    'b:',
    'b:s:',
    'b::',
    'b:s:$FOO',
    'b:s:?D*a',
    'b:a:b:$DATA',
    'b:s/t',
    'b:s\\t',
    'a:s\\b',
    'b:s\\',
    'b:s:$INDEX_ALLOCATION',
    'stream*:s:$DATA',
    'a\\:s',
    `b:${'s'.repeat(256)}`,
    'a\\'.repeat(16_400),
  ]
  for (const name of wrong) assert.equal(parseCreateName(name).status, NtStatus.OBJECT_NAME_INVALID, JSON.stringify(name).slice(0, 40))
})

test('a rename target may begin with a backslash or be a stream alone', () => {
  assert.deepEqual(parseRenameTarget('\\a\\b'), ok('a/b'))
  assert.deepEqual(parseRenameTarget(':new:$DATA'), ok('', 'new', 'data'))
  assert.equal(parseRenameTarget('').status, NtStatus.INVALID_PARAMETER)
})

test('a path that was parsed is shown as it was named', () => {
  const component = fc.stringMatching(/^[^\x00-\x1f"*/:<>?\\|.]{1,20}$/)
  fc.assert(
    fc.property(fc.array(component, { minLength: 1, maxLength: 5 }), fc.option(component, { nil: '' }), (components, stream) => {
      const name = components.join('\\') + (stream === '' ? '' : `:${stream}`)
      const parsed = parseCreateName(name)
      assert.ok(parsed.status === NtStatus.SUCCESS)
      assert.equal(wirePath(parsed.path, parsed.stream), name)
    }),
  )
})

test('no name makes the parser throw', () => {
  const pieces = fc
    .array(fc.constantFrom('\\', '/', ':', '.', '..', 'a', '$DATA', '*', '\0', '\ud800', ' '), { maxLength: 12 })
    .map(parts => parts.join(''))
  fc.assert(
    fc.property(pieces, name => {
      const parsed = parseCreateName(name)
      if (parsed.status === NtStatus.SUCCESS) assert.ok(!parsed.path.split('/').some(component => component === '..' || component === '.'))
      else
        assert.ok(
          [NtStatus.INVALID_PARAMETER, NtStatus.OBJECT_NAME_INVALID, NtStatus.OBJECT_PATH_SYNTAX_BAD].some(status => status === parsed.status),
        )
      parseRenameTarget(name)
    }),
  )
})

/** pattern, names that match, names that do not (MS-FSA 2.1.4.4). */
const patterns: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['*', ['', 'a', '.', 'a.b'], []],
  ['', ['a'], []],
  ['abc', ['abc', 'ABC', 'aBc'], ['ab', 'abcd']],
  ['ÄÖ', ['äö'], ['ao']],
  ['\u{1f600}*x', ['\u{1f600}abcX'], ['\u{1f600}', '\u{1f600}ab']],
  ['\u{1f600}y', ['\u{1f600}Y'], ['\u{1f600}']],
  ['*.txt', ['a.txt', '.TXT', 'a.b.txt'], ['a.txt2', 'txt']],
  ['*.*', ['a.b', '.'], ['ab']],
  ['a?c', ['abc', 'a.c'], ['ac', 'abbc']],
  ['*a*b*', ['ab', 'xaxbx', 'aab'], ['ba', 'a']],
  ['???', ['abc'], ['ab', 'abcd']],
  // DOS: `dir foo.*` arrives as `foo"*`, `dir *.` as `<`, `dir *.c` as `<.c`, `dir ???.c` as `>>>.c`.
  ['foo"*', ['foo', 'foo.c', 'foo.'], ['foobar', 'fo']],
  ['<', ['abc', ''], ['a.b']],
  ['<.c', ['a.c', 'a.b.c'], ['a.b', 'a.c.d']],
  ['<.', ['abc.'], ['a.b', 'abc']],
  ['<"', ['abc', 'abc.'], ['a.b']],
  ['<"*', ['abc', 'a.b', 'a.b.c'], []],
  ['>>>.c', ['a.c', 'ab.c', 'abc.c', '.c'], ['abcd.c', 'abc']],
  ['a>>', ['a', 'ab', 'abc'], ['abcd', 'b']],
  ['>>>">>', ['abc', 'a.b', 'abc.bc', 'ab.'], ['abcd', 'a.bcd']],
]

test('search patterns with ordinary and DOS wildcards', () => {
  for (const [pattern, matching, others] of patterns) {
    const compiled = compilePattern(pattern)
    for (const name of matching) assert.equal(compiled.matches(name), true, `${pattern} should match ${name}`)
    for (const name of others) assert.equal(compiled.matches(name), false, `${pattern} should not match ${name}`)
  }
  assert.equal(compilePattern('abc').literal, 'abc')
  assert.equal(compilePattern('**').matchesAll, true)
})

test('ordinary patterns match as the regular expressions they stand for', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '.', 'A'), { maxLength: 8 }).map(parts => parts.join(''))
  const pattern = fc.array(fc.constantFrom('a', 'b', '.', '*', '?'), { minLength: 1, maxLength: 6 }).map(parts => parts.join(''))
  fc.assert(
    fc.property(pattern, text, (wild, name) => {
      const source = wild
        .split('')
        .map(part => ({ '*': '.*', '?': '.', '.': '\\.' })[part] ?? part)
        .join('')
      assert.equal(compilePattern(wild).matches(name), new RegExp(`^${source}$`, 'is').test(name))
    }),
    { numRuns: 1000 },
  )
})

test('the DOS matcher agrees with the plain one where there is nothing of DOS', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }).map(parts => parts.join(''))
  fc.assert(
    fc.property(text, text, (literal, name) => {
      // A DOS_DOT behind the name's end matches nothing.
      assert.equal(
        compilePattern(`*${literal}"`).matches(name),
        compilePattern(`*${literal}`).matches(name) || compilePattern(`*${literal}.`).matches(name),
      )
    }),
  )
})

test('long patterns match as short ones do', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '.'), { maxLength: 8 }).map(parts => parts.join(''))
  const pattern = fc.array(fc.constantFrom('a', 'b', '.', '*', '?', '<', '>', '"'), { minLength: 1, maxLength: 8 }).map(parts => parts.join(''))
  fc.assert(
    fc.property(pattern, text, (wild, name) => {
      assert.equal(compilePattern(`"${'*'.repeat(32)}${wild}`).matches(`.${name}`), compilePattern(`"*${wild}`).matches(`.${name}`))
    }),
    { numRuns: 2000 },
  )
})

test('a pattern of many stars costs no more than name times pattern', () => {
  const pattern = compilePattern(`${'*a'.repeat(120)}<b`)
  const start = performance.now()
  assert.equal(pattern.matches('a'.repeat(255)), false)
  assert.ok(performance.now() - start < 1000)
})

test('names are compared by simple upper case of code units', () => {
  assert.equal(sameName('straße', 'STRAßE'), true)
  assert.equal(sameName('straße', 'STRASSE'), false)
  assert.equal(sameName('ａ', 'Ａ'), true)
  assert.equal(upcaseName('\ud800\udc28x'), '\ud800\udc28X')
})

test('an 8.3 name is its own short name; others are made from a hash', () => {
  for (const name of ['README.TXT', 'a', 'Ab-c~1.x'])
    assert.deepEqual([isShortName(name), shortNameOf(name), listedShortName(name)], [true, name.toUpperCase(), ''])
  for (const name of ['verylongfilename', 'a.b.c', 'a b', '.hidden', 'ends.', 'ünï', 'con', 'aux.txt', 'x.html', '+', '日本']) {
    const shortName = shortNameOf(name)
    assert.equal(isShortName(name), false, name)
    assert.ok(isShortName(shortName) && looksGenerated(shortName), `${name} -> ${shortName}`)
    assert.equal(shortNameOf(name.toUpperCase()), shortName)
    assert.equal(listedShortName(name), shortName)
  }
  assert.match(shortNameOf('verylongfilename.html'), /^V.{5}~.\.HTM$/)
  assert.deepEqual([shortNameOf('.'), shortNameOf('..'), shortNameOf('')], ['', '', ''])
})

test('short names collide seldom', () => {
  const seen = new Set<string>()
  for (let index = 0; index < 20_000; index++) seen.add(shortNameOf(`A long name number ${index}`))
  assert.ok(seen.size > 19_990, `${seen.size} of 20000`)
})

test('a short name that was handed out leads back to its long name in the same folder only (smb2.mangle)', () => {
  const names = new ShortNames({ capacity: 2 })
  const shortName = names.remember('mangle_test', 'Abcd..efg.')
  assert.equal(names.resolve('MANGLE_TEST', shortName.toLowerCase()), 'Abcd..efg.')
  assert.equal(names.resolve('other', shortName), undefined)
  assert.equal(names.resolve('mangle_test', 'ABCDEF~1'), undefined)
  names.remember('f', 'long name one')
  names.remember('f', 'long name two')
  assert.equal(names.resolve('mangle_test', shortName), undefined)
})
