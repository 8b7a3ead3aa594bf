/** lsarpc: names for SIDs and SIDs for names (MS-LSAT, MS-LSAD), as a client's security dialog asks for them. */

import { randomUUID } from 'node:crypto'
import { conformantArray, fixedBytes, i32, type NdrType, sid, struct, u16, u32, unicodeString, union, unique, wideString } from './ndr.ts'
import { uuidBytes } from './pdu.ts'
import { type CallContext, type MaybePromise, operation, type RpcService } from './service.ts'
import { type Account, domainOf, sidUse, wellKnownAccounts } from './well-known-sids.ts'

/** What lsarpc may know of the accounts of the server it speaks for. */
export interface LsarpcView {
  /** The name that local accounts belong to: the server's. */
  readonly accountDomain: string
  /** `S-1-5-21-a-b-c` */
  readonly accountDomainSid: string
  /** Workgroup. */
  readonly primaryDomain: string
  /** A local account by its SID. Well-known SIDs and the domain itself are not asked for. */
  accountBySid(sid: string): MaybePromise<{ readonly name: string; readonly isGroup?: boolean } | undefined>
  /** A local account by its name, without regard to case. */
  accountByName(name: string): MaybePromise<{ readonly name: string; readonly sid: string; readonly isGroup?: boolean } | undefined>
}

const status = {
  success: 0,
  someNotMapped: 0x0000_0107,
  invalidHandle: 0xc000_0008,
  invalidParameter: 0xc000_000d,
  noneMapped: 0xc000_0073,
  insufficientResources: 0xc000_009a,
} as const

/** Policy handles of one pipe. */
const handlesMax = 128
/** A pointer to a pointer to a name, either of which may be null. */
const nameHolder = unique(struct({ name: unique(unicodeString) }))
const handle = fixedBytes(20)
const nullHandle = Buffer.alloc(20)

const policyDomain = struct({ name: unicodeString, sid: unique(sid) })
/** LSAPR_POLICY_INFORMATION (MS-LSAD 2.2.4.2): 3 primary domain, 5 account domain, 6 server role, 12 DNS domain. */
const policyInformation = union(u16, {
  3: policyDomain as NdrType<never>,
  5: policyDomain as NdrType<never>,
  6: u16 as NdrType<never>,
  12: struct({ name: unicodeString, dnsName: unicodeString, forest: unicodeString, guid: fixedBytes(16), sid: unique(sid) }) as NdrType<never>,
})

/** LSAPR_REFERENCED_DOMAIN_LIST (MS-LSAT 2.2.12). */
const referencedDomains = struct({
  entries: u32,
  domains: unique(conformantArray(struct({ name: unicodeString, sid: unique(sid) }))),
  maxEntries: u32,
})

const sidBuffer = struct({ entries: u32, sids: unique(conformantArray(struct({ sid: unique(sid) }))) })
const list = <T>(element: NdrType<T>) => struct({ entries: u32, items: unique(conformantArray(element)) })
const translatedName = struct({ use: u16, name: unicodeString, domainIndex: i32 })
const translatedNameEx = struct({ use: u16, name: unicodeString, domainIndex: i32, flags: u32 })
const translatedSid = struct({ use: u16, rid: u32, domainIndex: i32 })
const translatedSidEx = struct({ use: u16, rid: u32, domainIndex: i32, flags: u32 })
const translatedSidEx2 = struct({ use: u16, sid: unique(sid), domainIndex: i32, flags: u32 })

const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase()
const handleId = (bytes: Buffer): string => bytes.toString('hex')

async function findSid(view: LsarpcView, text: string): Promise<Account | undefined> {
  const known = wellKnownAccounts.find(account => account.sid === text)
  if (known !== undefined) return known
  const domain = { domain: view.accountDomain, domainSid: view.accountDomainSid, sid: text }
  if (text === view.accountDomainSid) return { ...domain, name: '', use: sidUse.domain }
  const account = domainOf(text) === view.accountDomainSid ? await view.accountBySid(text) : undefined
  return account && { ...domain, name: account.name, use: account.isGroup ? sidUse.group : sidUse.user }
}

async function findName(view: LsarpcView, text: string): Promise<Account | undefined> {
  const [name, domain] = text.includes('\\') ? [text.slice(text.indexOf('\\') + 1), text.slice(0, text.indexOf('\\'))] : [text, undefined]
  const known = wellKnownAccounts.find(account => same(account.name, name) && (domain === undefined || same(account.domain, domain)))
  if (known !== undefined) return known
  const local = { domain: view.accountDomain, domainSid: view.accountDomainSid }
  if (domain === undefined && same(name, view.accountDomain)) return { ...local, name: '', sid: view.accountDomainSid, use: sidUse.domain }
  if (domain !== undefined && domain !== '' && domain !== '.' && !same(domain, view.accountDomain)) return undefined
  const account = await view.accountByName(name)
  return account && { ...local, name: account.name, sid: account.sid, use: account.isGroup ? sidUse.group : sidUse.user }
}

/** The domains of the accounts found, each once, and each account's index among them. */
function gather(found: readonly (Account | undefined)[]) {
  const domains: { name: string; sid: string }[] = []
  const indexes = found.map(account => {
    if (account === undefined) return -1
    const at = domains.findIndex(domain => domain.sid === account.domainSid && domain.name === account.domain)
    return at === -1 ? domains.push({ name: account.domain, sid: account.domainSid }) - 1 : at
  })
  const mapped = found.filter(account => account !== undefined).length
  return {
    indexes,
    domains: domains.length === 0 ? { entries: 0, domains: null, maxEntries: 0 } : { entries: domains.length, domains, maxEntries: 32 },
    mapped,
    status: mapped === found.length ? status.success : mapped === 0 ? status.noneMapped : status.someNotMapped,
  }
}

const noItems = { entries: 0, items: null }
const invalidHandle = { domains: null, items: noItems, mapped: 0, status: status.invalidHandle }

function openPolicy(name: string) {
  return operation({
    name,
    // Nothing of what is asked for changes what is given: every authenticated user may look up names.
    input: {},
    output: { handle, status: u32 },
    handle(_input, { handles }: CallContext) {
      if (handles.size >= handlesMax) return { handle: nullHandle, status: status.insufficientResources }
      const bytes = Buffer.concat([Buffer.alloc(4), uuidBytes(randomUUID())])
      handles.set(handleId(bytes), 'policy')
      return { handle: bytes, status: status.success }
    },
  })
}

function queryInformation(view: LsarpcView, name: string) {
  const values: Readonly<Record<number, unknown>> = {
    3: { name: view.primaryDomain, sid: null },
    5: { name: view.accountDomain, sid: view.accountDomainSid },
    // PolicyServerRolePrimary (MS-LSAD 2.2.4.11)
    6: 3,
    12: { name: view.primaryDomain, dnsName: '', forest: '', guid: Buffer.alloc(16), sid: null },
  }
  return operation({
    name,
    input: { handle, level: u16 },
    output: { info: unique(policyInformation), status: u32 },
    handle(input, { handles }) {
      if (!handles.has(handleId(input.handle))) return { info: null, status: status.invalidHandle }
      if (!Object.hasOwn(values, input.level)) return { info: null, status: status.invalidParameter }
      return { info: { level: input.level, value: values[input.level] }, status: status.success }
    },
  })
}

/** LsarLookupSids and LsarLookupSids2 (MS-LSAT 3.1.4.10, 3.1.4.11) differ in their entries' Flags only. */
function lookupSids<T extends typeof translatedName | typeof translatedNameEx>(view: LsarpcView, name: string, element: T) {
  return operation({
    name,
    input: { handle, sids: sidBuffer },
    output: { domains: unique(referencedDomains), items: list(element as typeof translatedNameEx), mapped: u32, status: u32 },
    async handle(input, { handles }) {
      if (!handles.has(handleId(input.handle))) return invalidHandle
      const sids = (input.sids.sids ?? []).map(entry => entry.sid ?? '')
      const found = await Promise.all(sids.map(text => findSid(view, text)))
      const { domains, indexes, mapped, status } = gather(found)
      const items = found.map((account, i) => ({
        use: account?.use ?? sidUse.unknown,
        // An unknown SID's name is its text (MS-LSAT 3.1.4.9).
        name: account?.name ?? sids[i],
        domainIndex: indexes[i],
        flags: 0,
      }))
      return { domains, items: { entries: items.length, items }, mapped, status }
    },
  })
}

/** LsarLookupNames, LsarLookupNames2 and LsarLookupNames3 (MS-LSAT 3.1.4.8, 3.1.4.7, 3.1.4.6). */
function lookupNames(view: LsarpcView, name: string, element: NdrType<never>) {
  return operation({
    name,
    input: { handle, count: u32, names: conformantArray(unicodeString) },
    output: { domains: unique(referencedDomains), items: list(element as NdrType<unknown>), mapped: u32, status: u32 },
    async handle(input, { handles }) {
      if (!handles.has(handleId(input.handle))) return invalidHandle
      if (input.count !== input.names.length) return { ...invalidHandle, status: status.invalidParameter }
      const found = await Promise.all(input.names.map(text => findName(view, text)))
      const { domains, indexes, mapped, status: result } = gather(found)
      const items = found.map((account, i) => ({
        use: account?.use ?? sidUse.unknown,
        rid: account === undefined || account.use === sidUse.domain ? 0xffff_ffff : Number(account.sid.slice(account.sid.lastIndexOf('-') + 1)),
        sid: account?.sid ?? null,
        domainIndex: indexes[i],
        flags: 0,
      }))
      return { domains, items: { entries: items.length, items }, mapped, status: result }
    },
  })
}

/** The lsarpc interface of one server. */
export function lsarpc(view: LsarpcView): RpcService {
  return {
    name: 'lsarpc',
    uuid: '12345778-1234-abcd-ef00-0123456789ab',
    majorVersion: 0,
    minorVersion: 0,
    operations: {
      0: operation({
        name: 'LsarClose',
        input: { handle },
        output: { handle, status: u32 },
        handle(input, { handles }) {
          return { handle: nullHandle, status: handles.delete(handleId(input.handle)) ? status.success : status.invalidHandle }
        },
      }),
      6: openPolicy('LsarOpenPolicy'),
      7: queryInformation(view, 'LsarQueryInformationPolicy'),
      14: lookupNames(view, 'LsarLookupNames', translatedSid as NdrType<never>),
      15: lookupSids(view, 'LsarLookupSids', translatedName),
      44: openPolicy('LsarOpenPolicy2'),
      45: operation({
        name: 'LsarGetUserName',
        input: { serverName: unique(wideString), userName: unique(unicodeString), domainName: nameHolder },
        output: { userName: unique(unicodeString), domainName: nameHolder, status: u32 },
        handle({ domainName }, { user }) {
          return { userName: user.name, domainName: domainName && { name: user.domain }, status: status.success }
        },
      }),
      46: queryInformation(view, 'LsarQueryInformationPolicy2'),
      57: lookupSids(view, 'LsarLookupSids2', translatedNameEx),
      58: lookupNames(view, 'LsarLookupNames2', translatedSidEx as NdrType<never>),
      68: lookupNames(view, 'LsarLookupNames3', translatedSidEx2 as NdrType<never>),
    },
  }
}
