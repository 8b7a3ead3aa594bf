import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chapAlgorithm, chapResponse, formatBinary, LoginStage, LoginStatus, parseBinary } from '../../pdu/index.ts'
import type { TextPair } from '../../pdu/index.ts'
import type { LoginThrottle } from '../index.ts'
import { alice, bob, guest, own, startTarget, targetNames } from '../test-support/target.ts'
import { RawInitiator } from '../test-support/raw-initiator.ts'
import type { LoginStep } from '../test-support/raw-initiator.ts'

const initiator = 'iqn.2026-11.test:initiator'
const names = (target: string, name = initiator): TextPair[] => [
  ['InitiatorName', name],
  ['TargetName', target],
]

let target: Awaited<ReturnType<typeof startTarget>>
before(async () => {
  target = await startTarget()
})
after(() => target[Symbol.asyncDispose]())

/** A login in one step, by a new connection that ends with the test. */
async function statusOf(pairs: readonly TextPair[], step?: LoginStep, port = target.port): Promise<number> {
  await using raw = await RawInitiator.connect(port)
  return (await raw.login(pairs, step)).status
}

const refusals: readonly {
  readonly why: string
  readonly pairs: readonly TextPair[]
  readonly step?: LoginStep
  readonly status: keyof typeof LoginStatus
}[] = [
  { why: 'an initiator without a name', pairs: [['TargetName', targetNames.open]], status: 'missingParameter' },
  { why: 'an initiator without a target', pairs: [['InitiatorName', initiator]], status: 'missingParameter' },
  { why: 'a name that is none', pairs: names(targetNames.open, 'nobody'), status: 'initiatorError' },
  { why: 'a target that there is not', pairs: names('iqn.2026-11.test:none'), status: 'notFound' },
  { why: 'an initiator that is not among those let in', pairs: names(targetNames.guarded), status: 'authorizationFailure' },
  { why: 'no login where one is needed', pairs: names(targetNames.locked), status: 'authenticationFailure' },
  { why: 'a kind of session that there is not', pairs: [...names(targetNames.open), ['SessionType', 'Other']], status: 'sessionTypeNotSupported' },
  { why: 'a version that there is not', pairs: names(targetNames.open), step: { header: { versionMin: 1 } }, status: 'unsupportedVersion' },
  { why: 'a session that there is not', pairs: names(targetNames.open), step: { tsih: 77 }, status: 'sessionDoesNotExist' },
  { why: 'a key that comes twice', pairs: [...names(targetNames.open), ['InitialR2T', 'No'], ['InitialR2T', 'No']], status: 'initiatorError' },
  { why: 'a stage that leads back', pairs: names(targetNames.open), step: { next: LoginStage.security }, status: 'initiatorError' },
  {
    why: 'authentication outside of its stage',
    pairs: [...names(targetNames.open), ['AuthMethod', 'CHAP']],
    status: 'initiatorError',
  },
  {
    why: 'an initiator that offers no CHAP',
    pairs: [...names(targetNames.locked), ['AuthMethod', 'None']],
    step: { stage: LoginStage.security },
    status: 'authenticationFailure',
  },
]
for (const { why, pairs, step, status } of refusals) {
  test(`${why} is refused: ${status} (RFC 7143 11.13.5)`, async () => {
    assert.equal(await statusOf(pairs, step), LoginStatus[status])
  })
}

test('everybody is let in where the configuration says so, and told the portal group (13.9)', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const { status, pairs, fields } = await raw.login([
    ...names(targetNames.open),
    ['HeaderDigest', 'None,CRC32C'],
    ['MaxConnections', '100'],
    ['X-own', '1'],
  ])
  assert.equal(status, LoginStatus.success)
  assert.notEqual(fields['tsih'], 0)
  assert.equal(pairs.get('TargetPortalGroupTag'), '1')
  assert.equal(pairs.get('TargetAlias'), 'everybody')
  assert.equal(pairs.get('HeaderDigest'), 'None')
  assert.equal(pairs.get('MaxConnections'), '8')
  assert.equal(pairs.get('X-own'), 'NotUnderstood')
})

test('text that comes in pieces is put together (6.2)', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const [first, second] = names(targetNames.open)
  assert.equal((await raw.login([first], { isTransit: false, continues: true })).status, LoginStatus.success)
  assert.equal((await raw.login([second])).status, LoginStatus.success)
})

test('names are compared in their normal form (4.2.7)', async () => {
  assert.equal(await statusOf(names(targetNames.guarded.toUpperCase(), guest.toUpperCase())), LoginStatus.success)
})

/** Logs in with CHAP; gives the last answer. */
async function chap(raw: RawInitiator, secret: string, more: readonly TextPair[] = [], name: string = alice.name) {
  const last = await prove(raw, secret, more, name)
  return raw.login(last, { stage: LoginStage.security })
}

/** The same up to the last request; gives what that says. */
async function prove(raw: RawInitiator, secret: string, more: readonly TextPair[] = [], name: string = alice.name): Promise<TextPair[]> {
  const security = { stage: LoginStage.security, isTransit: false } as const
  assert.equal((await raw.login([...names(targetNames.locked), ['AuthMethod', 'CHAP,None']], security)).pairs.get('AuthMethod'), 'CHAP')
  const { pairs } = await raw.login([['CHAP_A', '99,7,5']], security)
  assert.equal(pairs.get('CHAP_A'), '7')
  const asked = { algorithm: chapAlgorithm(7)!, identifier: Number(pairs.get('CHAP_I')), challenge: parseBinary(pairs.get('CHAP_C')!) }
  const response = formatBinary(chapResponse(asked, secret))
  const challenge: TextPair[] = more.map(([key, value]) => [key, value === 'reflected' ? pairs.get('CHAP_C')! : value])
  return [['CHAP_N', name], ['CHAP_R', response], ...challenge]
}

test('the right secret is let in (12.1.3)', async () => {
  await using raw = await RawInitiator.connect(target.port)
  assert.equal((await chap(raw, alice.secret)).status, LoginStatus.success)
})

test('a wrong secret, a wrong name and a user who may not are refused alike', async () => {
  for (const [secret, name] of [
    ['a wrong secret', alice.name],
    [alice.secret, 'nobody'],
    [alice.secret, bob.name],
  ] as const) {
    await using raw = await RawInitiator.connect(target.port)
    assert.equal((await chap(raw, secret, [], name)).status, LoginStatus.authenticationFailure)
    assert.equal(await raw.receive(), undefined)
  }
})

test('who guesses is made to wait for the answer, by address and name; nobody else is', async () => {
  const told: string[] = []
  const throttle: LoginThrottle = {
    delayMs: ({ user }) => (user === alice.name && told.length > 1 ? 1e8 : 0),
    failed: ({ remoteAddress, user }) => void told.push(`${remoteAddress} ${user} failed`),
    succeeded: ({ remoteAddress, user }) => void told.push(`${remoteAddress} ${user} succeeded`),
  }
  await using guarded = await startTarget({ throttle })
  await using first = await RawInitiator.connect(guarded.port)
  assert.equal((await chap(first, 'a wrong secret')).status, LoginStatus.authenticationFailure)
  await using waiting = await RawInitiator.connect(guarded.port)
  const last = await prove(waiting, 'another one')
  const answered = waiting.login(last, { stage: LoginStage.security }).then(
    () => 'answered',
    () => 'not answered',
  )
  while (told.length < 2) await sleep(1)
  await using other = await RawInitiator.connect(guarded.port)
  assert.equal((await other.login(names(targetNames.open))).status, LoginStatus.success)
  assert.deepEqual(told, ['127.0.0.1 alice failed', '127.0.0.1 alice failed'])
  await waiting[Symbol.asyncDispose]()
  assert.equal(await answered, 'not answered')
})

test('a login that succeeds is forgiven what went before', async () => {
  const told: string[] = []
  const throttle: LoginThrottle = { delayMs: () => 0, failed: () => void told.push('failed'), succeeded: ({ user }) => void told.push(user) }
  await using guarded = await startTarget({ throttle })
  await using raw = await RawInitiator.connect(guarded.port)
  assert.equal((await chap(raw, alice.secret)).status, LoginStatus.success)
  assert.deepEqual(told, [alice.name])
})

test('the target proves itself to one that asks (mutual CHAP)', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const challenge = Buffer.from('0123456789abcdef')
  const { status, pairs } = await chap(raw, alice.secret, [
    ['CHAP_I', '9'],
    ['CHAP_C', formatBinary(challenge)],
  ])
  assert.equal(status, LoginStatus.success)
  assert.equal(pairs.get('CHAP_N'), own.name)
  assert.equal(pairs.get('CHAP_R'), formatBinary(chapResponse({ algorithm: chapAlgorithm(7)!, identifier: 9, challenge }, own.secret)))
})

test('its own challenge, given back, is not answered (9.2.1)', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const { status, pairs } = await chap(raw, alice.secret, [
    ['CHAP_I', '9'],
    ['CHAP_C', 'reflected'],
  ])
  assert.equal(status, LoginStatus.authenticationFailure)
  assert.equal(pairs.has('CHAP_R'), false)
})

test('the stage of security cannot be left before the exchange has ended', async () => {
  await using raw = await RawInitiator.connect(target.port)
  const { status, fields } = await raw.login([...names(targetNames.locked), ['AuthMethod', 'CHAP']], { stage: LoginStage.security })
  assert.equal(status, LoginStatus.success)
  assert.equal(Number(fields['flags']) & 0x80, 0)
  assert.equal((await raw.login([], { stage: LoginStage.operational })).status, LoginStatus.initiatorError)
})

test('a session may be sent elsewhere before it begins (7.2.2.2)', async () => {
  await using other = await startTarget({ redirect: ({ targetName }) => (targetName === targetNames.open ? { host: '::1', port: 3261 } : undefined) })
  await using raw = await RawInitiator.connect(other.port)
  const { status, pairs } = await raw.login(names(targetNames.open))
  assert.equal(status, LoginStatus.targetMovedTemporarily)
  assert.equal(pairs.get('TargetAddress'), '[::1]:3261')
})

test('one session of the same ports takes the place of the other (6.3.5); other ports have one of their own', async () => {
  await using first = await RawInitiator.connect(target.port)
  await using second = await RawInitiator.connect(target.port)
  await using other = await RawInitiator.connect(target.port)
  await first.login(names(targetNames.open), { isid: 5 })
  await other.login(names(targetNames.open), { isid: 6 })
  assert.equal((await second.login(names(targetNames.open), { isid: 5 })).status, LoginStatus.success)
  assert.equal(await first.receive(), undefined)
  assert.equal(other.isEnded, false)
})

test('a connection joins the session that it names; more than were agreed on do not', async () => {
  await using first = await RawInitiator.connect(target.port)
  const { fields } = await first.login([...names(targetNames.open), ['MaxConnections', '2']], { isid: 7 })
  const tsih = Number(fields['tsih'])
  await using second = await RawInitiator.connect(target.port)
  assert.equal((await second.login(names(targetNames.open), { isid: 7, tsih, cid: 2 })).status, LoginStatus.success)
  assert.equal(await statusOf(names(targetNames.open), { isid: 7, tsih, cid: 3 }), LoginStatus.tooManyConnections)
})

test('what is no login ends the connection', async () => {
  await using raw = await RawInitiator.connect(target.port)
  raw.command([0])
  assert.equal(await raw.receive(), undefined)
})
