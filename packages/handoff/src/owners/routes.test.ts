import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOwnerWords, parseRoutes } from './routes.ts'

test('words of --owner: the same prefix several times is shared, hosts are in lower case, IPv6 in brackets', () => {
  const words = ['/=10.0.0.1:7001', '/=10.0.0.2:7001', 'Example.ORG/A=b/=[2001:DB8::1]:7001', '[::1]/=10.0.0.1:7001']
  assert.deepEqual(parseOwnerWords(words), [
    { prefix: '/', agents: ['10.0.0.1:7001', '10.0.0.2:7001'] },
    { prefix: 'example.org/A=b/', agents: ['[2001:db8::1]:7001'] },
    { prefix: '[::1]/', agents: ['10.0.0.1:7001'] },
  ])
})

test('a word that is none is named, with what is allowed', () => {
  const refused: readonly [string, RegExp][] = [
    ['/videos/', /^--owner \/videos\/: has no =; allowed: PREFIX=ADDR:PORT, as \/videos\/=10\.0\.0\.1:7001/],
    ['/videos/=10.0.0.1', /10\.0\.0\.1 is no address with a port/],
    ['videos=10.0.0.1:7001', /videos is no path with a \//],
    ['=10.0.0.1:7001', /nothing is no path/],
    ['/a?b=10.0.0.1:7001', /\/a\?b is more than a path/],
    ['example.org:80/=10.0.0.1:7001', /example\.org:80 is no host \(without a port\)/],
    ['/a b=10.0.0.1:7001', /\/a b is no path/],
  ]
  for (const [word, message] of refused) assert.throws(() => parseOwnerWords([word]), { name: 'UsageError', code: 'bad-owner', message })
  assert.throws(() => parseOwnerWords(['/=10.0.0.1:7001', '/=10.0.0.1:7001']), { message: /\/ has 10\.0\.0\.1:7001 already/ })
})

test('a routes file has a prefix and its agents on each line, and comments', () => {
  const text = `# owners
/        10.0.0.1:7001   10.0.0.2:7001 # shared

  /videos/\t10.0.0.3:7001\r
example.org/ [::1]:7001
/videos/ 10.0.0.4:7001
/a#b 10.0.0.5:7001`
  // A # within a word is no comment; but it is no path either.
  assert.throws(() => parseRoutes(text, 'routes'), { message: /^routes:7: \/a#b is more than a path/ })
  assert.deepEqual(parseRoutes(text.slice(0, text.lastIndexOf('\n')), 'routes'), [
    { prefix: '/', agents: ['10.0.0.1:7001', '10.0.0.2:7001'] },
    { prefix: '/videos/', agents: ['10.0.0.3:7001', '10.0.0.4:7001'] },
    { prefix: 'example.org/', agents: ['[::1]:7001'] },
  ])
})

test('what is wrong with a routes file is told with file, line and what is allowed', () => {
  const refused: readonly [string, RegExp][] = [
    [
      '/ 10.0.0.1:7001\n/videos/\n',
      /^\/etc\/routes:2: \/videos\/ has no address; allowed: PREFIX ADDR:PORT \[ADDR:PORT…\], as \/videos\/ 10\.0\.0\.1:7001/,
    ],
    ['\n\n/ 10.0.0.1:7001 10.0.0.2', /^\/etc\/routes:3: 10\.0\.0\.2 is no address with a port/],
    ['/ 10.0.0.1:7001 10.0.0.1:7001', /:1: \/ has 10\.0\.0\.1:7001 already/],
    ['# nothing\n', /^\/etc\/routes: no routes; allowed/],
    ['', /no routes/],
  ]
  for (const [text, message] of refused) assert.throws(() => parseRoutes(text, '/etc/routes'), { code: 'bad-routes', message })
})
