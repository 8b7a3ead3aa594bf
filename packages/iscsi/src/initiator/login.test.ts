import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex, MalformedError } from '@holdfast/wire'
import { captured } from '../pdu/captured.ts'
import { dataSegmentBytes, formatText, LoginFlags, loginStages, LoginResponse, LoginStage, LoginStatus, parseText, textMap } from '../pdu/index.ts'
import type { TextPair } from '../pdu/index.ts'
import { IscsiError } from './errors.ts'
import { Login } from './login.ts'
import type { LoginProgress, LoginStep } from './login.ts'
import { portalSettings, sessionSettings } from './options.ts'

const host = 'target'
const target = 'iqn.2026-11.test.reference:disk'
const isid = hex('800000000000')
const base = { isid, tsih: 0, cid: 0, cmdSn: 1, initiatorTaskTag: 1 }
const plain = (more = {}) =>
  new Login({ ...base, settings: portalSettings({ host, ...more }), target, wanted: sessionSettings({ host, target }).wanted })
const withChap = { user: 'alice', password: 'Correct-Horse-1', chapHashes: ['md5'] as const }

const textOf = ({ text }: LoginStep): Map<string, string> => textMap(parseText(text))
const sent = (progress: LoginProgress): LoginStep => {
  assert.equal(progress.kind, 'send')
  return progress.kind === 'send' ? progress.steps[0] : assert.fail()
}

/** A response with its text. */
function respond(login: Login, more: { flags: number; tsih?: number; status?: number; pairs?: readonly TextPair[]; text?: Buffer }): LoginProgress {
  const bytes = LoginResponse.toBytes({
    isid,
    tsih: 0,
    initiatorTaskTag: 1,
    statSn: 0,
    expCmdSn: 1,
    maxCmdSn: 1,
    ...more,
    status: more.status ?? 0,
  })
  return login.receive(LoginResponse.decode(bytes), more.text ?? formatText(more.pairs ?? []))
}

/** What tgt said. */
function replay(login: Login, title: string): LoginProgress {
  const { bytes } = captured.find(found => found.title === title)!
  return login.receive(LoginResponse.decode(bytes), bytes.subarray(48, 48 + dataSegmentBytes(bytes)))
}

const failed = (code: string) => (error: unknown) => error instanceof IscsiError && error.code === code
const malformed = (code: string) => (error: unknown) => error instanceof MalformedError && error.code === code
const security = loginStages(LoginStage.security, LoginStage.operational)
const toFullFeature = LoginFlags.transit | loginStages(LoginStage.operational, LoginStage.fullFeature)

test('without a user the login begins in the operational stage, and is over in one exchange (RFC 7143 6.3)', () => {
  const login = plain()
  const first = login.begin()
  assert.equal(first.header.flags, toFullFeature)
  assert.equal(textOf(first).get('TargetName'), target)
  assert.equal(textOf(first).get('SessionType'), 'Normal')
  const progress = replay(login, 'Login Response, tgt')
  assert.equal(progress.kind, 'done')
  if (progress.kind !== 'done') return
  assert.equal(progress.outcome.tsih, 0x100)
  assert.equal(progress.outcome.agreed.FirstBurstLength, 65_536)
  assert.equal(progress.outcome.agreed.InitialR2T, true)
  assert.equal(progress.outcome.sendBytesMax, 8192, 'tgt declares nothing')
  assert.equal(progress.outcome.portalGroupTag, 1)
})

test('a discovery session names no target', () => {
  const login = new Login({ ...base, settings: portalSettings({ host }), target: undefined, wanted: {} })
  assert.deepEqual([...textOf(login.begin()).keys()], ['InitiatorName', 'SessionType', 'MaxRecvDataSegmentLength'])
})

describe('CHAP (12.1.3)', () => {
  test('as with tgt: method, algorithm, answer, then the operational stage', () => {
    const login = plain(withChap)
    const first = login.begin()
    assert.equal(first.header.flags, loginStages(LoginStage.security))
    assert.equal(textOf(first).get('AuthMethod'), 'CHAP')
    const second = sent(replay(login, 'Login Response, AuthMethod'))
    assert.deepEqual([...textOf(second)], [['CHAP_A', '5']])
    const third = sent(replay(login, 'Login Response, CHAP_C'))
    assert.equal(textOf(third).get('CHAP_R')?.toLowerCase(), '0xda8b7330ddc4e93f317181ff8443bffb', 'as libiscsi answered')
    assert.equal(third.header.flags, LoginFlags.transit | security)
    const fourth = sent(replay(login, 'Login Response, CHAP passed'))
    assert.equal(fourth.header.flags, toFullFeature)
    assert.ok(textOf(fourth).has('MaxBurstLength'))
    assert.equal(replay(login, 'Login Response, operational stage').kind, 'done')
  })

  test('a target that wants no login, or another method, is not logged in to with a password', () => {
    for (const pairs of [[['AuthMethod', 'None']], [['AuthMethod', 'Reject']], []] as const) {
      const login = plain(withChap)
      login.begin()
      if (pairs.length > 0) assert.throws(() => respond(login, { flags: security, pairs }), failed('AUTHENTICATION_FAILED'))
      else assert.throws(() => respond(login, { flags: LoginFlags.transit | security }), malformed('bad-login'))
    }
  })

  test('an algorithm that was not offered is refused', () => {
    const login = plain(withChap)
    login.begin()
    replay(login, 'Login Response, AuthMethod')
    const pairs = [
      ['CHAP_A', '7'],
      ['CHAP_I', '1'],
      ['CHAP_C', '0x00112233'],
    ] as const
    assert.throws(() => respond(login, { flags: 0, pairs }), failed('AUTHENTICATION_FAILED'))
  })

  test('a target that has to prove itself and leaves the stage without is refused', () => {
    const login = plain({ ...withChap, targetCredentials: { password: 'Battery-Staple-2' } })
    login.begin()
    replay(login, 'Login Response, AuthMethod')
    const answer = sent(replay(login, 'Login Response, CHAP_C'))
    assert.ok(textOf(answer).has('CHAP_C'), 'it is asked')
    assert.throws(() => replay(login, 'Login Response, CHAP passed'), failed('TARGET_NOT_AUTHENTIC'))
  })
})

describe('text that does not fit in one PDU (6.2)', () => {
  test("the target's, asked for piece by piece", () => {
    const login = plain()
    login.begin()
    const text = formatText([
      ['TargetAlias', 'x'.repeat(200)],
      ['TargetPortalGroupTag', '7'],
    ])
    const empty = sent(respond(login, { flags: LoginFlags.continue | loginStages(LoginStage.operational), text: text.subarray(0, 100) }))
    assert.equal(empty.text.length, 0)
    assert.equal(empty.header.flags, loginStages(LoginStage.operational))
    const progress = respond(login, { flags: toFullFeature, tsih: 5, text: text.subarray(100) })
    assert.equal(progress.kind, 'done')
    if (progress.kind === 'done') assert.equal(progress.outcome.portalGroupTag, 7)
  })
})

describe('what a target may say', () => {
  for (const [status, code] of [
    [LoginStatus.authenticationFailure, 'AUTHENTICATION_FAILED'],
    [LoginStatus.notFound, 'NO_SUCH_TARGET'],
    [LoginStatus.outOfResources, 'TARGET_UNAVAILABLE'],
    [LoginStatus.unsupportedVersion, 'LOGIN_FAILED'],
    [0x0207, 'LOGIN_FAILED'],
  ] as const) {
    test(`status ${status.toString(16).padStart(4, '0')}h is ${code}`, () => {
      const login = plain()
      login.begin()
      assert.throws(() => respond(login, { flags: 0, status }), failed(code))
    })
  }

  test('go elsewhere, for now or for good (11.13.5)', () => {
    for (const [status, isPermanent] of [
      [LoginStatus.targetMovedTemporarily, false],
      [LoginStatus.targetMovedPermanently, true],
    ] as const) {
      const login = plain()
      login.begin()
      assert.deepEqual(respond(login, { flags: 0, status, pairs: [['TargetAddress', '[::1]:3261,2']] }), {
        kind: 'redirect',
        address: { host: '::1', port: 3261, portalGroupTag: 2 },
        isPermanent,
      })
    }
    const login = plain()
    login.begin()
    assert.throws(() => respond(login, { flags: 0, status: LoginStatus.targetMovedTemporarily }), malformed('bad-login'))
  })

  test('a stage that is another, an end without a session, and a digest that was not wanted', () => {
    const login = plain()
    login.begin()
    assert.throws(() => respond(login, { flags: LoginFlags.transit | security }), malformed('bad-login'))
    const other = plain()
    other.begin()
    assert.throws(() => respond(other, { flags: toFullFeature, tsih: 0 }), malformed('bad-login'))
    const digest = new Login({ ...base, settings: portalSettings({ host }), target, wanted: { HeaderDigest: ['CRC32C'] } })
    digest.begin()
    assert.throws(() => respond(digest, { flags: toFullFeature, tsih: 1, pairs: [['HeaderDigest', 'Reject']] }), failed('LOGIN_FAILED'))
  })
})
