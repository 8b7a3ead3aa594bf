import assert from 'node:assert/strict'
import test from 'node:test'
import { aceFlags, allow, deny, type Ace } from '../../messages/acl.ts'
import { access, fileRights } from '../../messages/fscc-access-mask.ts'
import { descriptorControl, securityInformation, encodeSecurityDescriptor, type SecurityDescriptor } from '../../messages/security-descriptor.ts'
import { wellKnownSids } from '../../messages/sid.ts'
import { dependsOnParent, dispositionAccess, effectiveAccess, grantAccess, grantAccessOnCreate, mayList, maximalAccess } from './check.ts'
import { DescriptorCache } from './descriptor-cache.ts'
import { createDescriptor, defaultRootDescriptor } from './inherit.ts'
import { accessToQuerySecurity, accessToSetSecurity, changeSecurity, selectSecurity } from './security-info.ts'
import { createToken, mayAssignOwner } from './token.ts'

const alice = 'S-1-5-21-1-2-3-1001'
const bob = 'S-1-5-21-1-2-3-1002'
const staff = 'S-1-5-21-1-2-3-513'
const token = createToken({ user: alice, groups: [staff] })
const { objectInherit: OI, containerInherit: CI, noPropagateInherit: NP, inheritOnly: IO, inherited: INHERITED } = aceFlags

const owned = (...aces: Ace[]): SecurityDescriptor => ({ control: 0, owner: alice, group: staff, dacl: { revision: 2, aces } })
const maximum = (descriptor: SecurityDescriptor, parentEffective: number = 0) => {
  const result = grantAccess({ desired: access.maximumAllowed, effective: effectiveAccess({ descriptor, token }), parentEffective, token })
  return result.granted
}
const open = (
  descriptor: SecurityDescriptor,
  desired: number,
  more: { parentEffective?: number; readOnlyFile?: boolean; limit?: number; required?: number } = {},
) => grantAccess({ desired, effective: effectiveAccess({ descriptor, token }), token, ...more })

test('an owner has READ_CONTROL and WRITE_DAC, and the parent adds DELETE and READ_ATTRIBUTES (MS-FSA 2.1.5.1.2.1)', () => {
  assert.equal(maximum(owned()), access.readControl | access.writeDac)
  assert.equal(maximum(owned(), fileRights.all), access.readControl | access.writeDac | access.delete | access.readAttributes)
})

test('every bit is decided by the first entry that names it (MS-DTYP 2.5.3.2)', () => {
  const rights = fileRights.read | access.writeData
  assert.equal(maximum(owned(allow(alice, rights), deny(alice, access.writeData))), rights | access.writeDac)
  assert.equal(maximum(owned(deny(staff, access.writeData), allow(alice, rights))), (fileRights.read | access.writeDac) >>> 0)
})

test('OWNER_RIGHTS entries replace the implicit rights of the owner and add up with others', () => {
  const { ownerRights } = wellKnownSids
  assert.equal(maximum(owned(allow(alice, fileRights.read), allow(ownerRights, access.writeData))), fileRights.read | access.writeData)
  assert.equal(maximum(owned(deny(ownerRights, access.readData), allow(alice, fileRights.read))), fileRights.read & ~access.readData)
  const notOwned = { ...owned(allow(ownerRights, access.writeData), allow(alice, access.readData)), owner: bob }
  assert.equal(maximum(notOwned), access.readData)
})

test('CREATOR_OWNER in an effective entry grants nothing', () => {
  const descriptor = owned(allow(wellKnownSids.creatorOwner, fileRights.all))
  assert.equal(open(descriptor, access.readData).granted, undefined)
})

test('generic rights are mapped in the request and in the entries', () => {
  assert.equal(open(owned(allow(alice, access.genericRead)), access.genericRead).granted, fileRights.read)
  assert.equal(open(owned(allow(alice, access.genericAll)), access.genericAll).granted, fileRights.all)
  assert.equal(open(owned(allow(alice, fileRights.read)), access.genericWrite).granted, undefined)
})

test('MAXIMUM_ALLOWED does not excuse a right that was asked for by name', () => {
  assert.deepEqual(open(owned(allow(alice, access.readData)), access.maximumAllowed | access.writeData), {
    granted: undefined,
    denied: 'access-denied',
  })
})

test('ACCESS_SYSTEM_SECURITY needs the privilege, and a DACL cannot give it', () => {
  const descriptor = owned(allow(alice, fileRights.all | access.accessSystemSecurity))
  assert.deepEqual(open(descriptor, access.accessSystemSecurity), { granted: undefined, denied: 'privilege-not-held' })
  const auditor = createToken({ user: bob, privileges: ['security'] })
  const effective = effectiveAccess({ descriptor: owned(), token: auditor })
  assert.equal(grantAccess({ desired: access.accessSystemSecurity, effective, token: auditor }).granted, access.accessSystemSecurity)
})

test('a NULL DACL gives everybody everything, an empty one nothing', () => {
  const nullDacl = { ...owned(), owner: bob, dacl: null }
  assert.equal(maximum(nullDacl), fileRights.all)
  assert.equal(maximum({ ...owned(), owner: bob }), 0)
})

test('an inherit-only entry is not effective', () => {
  assert.equal(open(owned(allow(alice, fileRights.all, OI | CI | IO)), access.readData).granted, undefined)
})

test('a read-only file refuses writing and loses it from the maximum, but not from MxAc', () => {
  const descriptor = owned(allow(alice, fileRights.all))
  assert.equal(open(descriptor, access.writeData, { readOnlyFile: true }).granted, undefined)
  assert.equal(open(descriptor, access.maximumAllowed, { readOnlyFile: true }).granted, fileRights.all & ~0x46)
  assert.equal(maximalAccess({ effective: effectiveAccess({ descriptor, token }) }), fileRights.all)
})

test('overwriting needs WRITE_DATA, which the handle does not get', () => {
  const descriptor = owned(allow(alice, fileRights.read))
  assert.equal(open(descriptor, access.readData, { required: dispositionAccess(0), parentEffective: fileRights.all }).granted, undefined)
  assert.equal(open(owned(allow(alice, fileRights.all)), access.readData, { required: dispositionAccess(5) }).granted, access.readData)
})

test('the tree connect limits what is granted', () => {
  const descriptor = owned(allow(alice, fileRights.all))
  assert.equal(open(descriptor, access.writeData, { limit: fileRights.read }).granted, undefined)
  assert.equal(open(descriptor, access.maximumAllowed, { limit: fileRights.read }).granted, fileRights.read)
})

test('the parent is asked only where it matters', () => {
  assert.equal(dependsOnParent(access.readData, 0), false)
  assert.equal(dependsOnParent(access.delete, fileRights.all), false)
  assert.equal(dependsOnParent(access.delete, fileRights.read), true)
  assert.equal(dependsOnParent(access.maximumAllowed, fileRights.read), true)
  assert.equal(dependsOnParent(access.maximumAllowed, fileRights.all), false)
})

test('the creator of a file gets what it asks for', () => {
  assert.equal(grantAccessOnCreate({ desired: fileRights.all, token }).granted, fileRights.all)
  assert.equal(grantAccessOnCreate({ desired: access.maximumAllowed, token }).granted, fileRights.all)
  assert.equal(grantAccessOnCreate({ desired: access.accessSystemSecurity, token }).granted, undefined)
})

test('access-based enumeration wants all of READ_CONTROL, READ_DATA, READ_EA, READ_ATTRIBUTES', () => {
  assert.equal(mayList(fileRights.read), true)
  for (const missing of [access.readData, access.readEa, access.readAttributes]) assert.equal(mayList(fileRights.read & ~missing), false)
})

test('backup and restore privileges count only with backup intent', () => {
  const operator = createToken({ user: bob, privileges: ['backup', 'restore'] })
  assert.equal(effectiveAccess({ descriptor: owned(), token: operator }), 0)
  assert.equal(effectiveAccess({ descriptor: owned(), token: operator, backupIntent: true }) & access.readData, access.readData)
})

/** Parent flags -> child's entries as `who:flags` (MS-DTYP 2.5.3.4.2; the expectations of smb2.acls.INHERITANCE). */
const inheritance: readonly [flags: number, file: string, folder: string][] = [
  [0, 'default', 'default'],
  [OI, 'owner:0', `creator:${OI | IO}`],
  [CI, 'default', `owner:0 creator:${CI | IO}`],
  [OI | CI, 'owner:0', `owner:0 creator:${OI | CI | IO}`],
  [NP, 'default', 'default'],
  [NP | OI, 'owner:0', 'default'],
  [NP | CI, 'default', 'owner:0'],
  [NP | CI | OI, 'owner:0', 'owner:0'],
  [IO, 'default', 'default'],
  [IO | OI, 'owner:0', `creator:${OI | IO}`],
  [IO | CI, 'default', `owner:0 creator:${CI | IO}`],
  [IO | CI | OI, 'owner:0', `owner:0 creator:${OI | CI | IO}`],
  [IO | NP | OI, 'owner:0', 'default'],
  [IO | NP | CI, 'default', 'owner:0'],
]

test('CREATOR_OWNER is inherited by files and folders as its flags say (MS-DTYP 2.5.3.4.2)', () => {
  const show = (descriptor: SecurityDescriptor) => {
    const aces = descriptor.dacl?.aces ?? []
    if (aces.length === 2 && aces[1].sid === wellKnownSids.system) return 'default'
    return aces.map(ace => `${ace.sid === alice ? 'owner' : 'creator'}:${ace.flags}`).join(' ')
  }
  for (const [flags, file, folder] of inheritance) {
    const parent = owned(allow(wellKnownSids.creatorOwner, access.writeData, flags), allow(wellKnownSids.everyone, fileRights.all))
    const creator = { owner: alice, group: staff }
    assert.equal(show(createDescriptor({ parent, creator, isFolder: false })), file, `file, flags ${flags}`)
    assert.equal(show(createDescriptor({ parent, creator, isFolder: true })), folder, `folder, flags ${flags}`)
  }
})

test('a child is AUTO_INHERITED and its entries INHERITED_ACE when the parent is AUTO_INHERITED', () => {
  const list = { revision: 2, aces: [allow(alice, access.writeData, OI | CI | INHERITED)] }
  const creator = { owner: alice, group: staff }
  const auto = createDescriptor({ parent: { control: descriptorControl.daclAutoInherited, dacl: list }, creator, isFolder: false })
  assert.deepEqual([auto.control, auto.dacl?.aces[0].flags], [descriptorControl.daclAutoInherited, INHERITED])
  const plain = createDescriptor({ parent: { control: descriptorControl.daclProtected, dacl: list }, creator, isFolder: false })
  assert.deepEqual([plain.control, plain.dacl?.aces[0].flags], [0, 0])
})

test('an explicit descriptor goes before inheritance; without a DACL in it the parent is asked', () => {
  const parent = owned(allow(bob, fileRights.read, OI))
  const creator = { owner: alice, group: staff }
  const explicit = createDescriptor({
    parent,
    explicit: { control: 0, owner: 'S-1-1-0', dacl: { revision: 2, aces: [allow(bob, access.genericRead)] } },
    creator,
    isFolder: false,
  })
  assert.deepEqual([explicit.owner, explicit.group, explicit.dacl?.aces], ['S-1-1-0', staff, [allow(bob, fileRights.read)]])
  const empty = createDescriptor({ parent, explicit: { control: 0 }, creator, isFolder: false })
  assert.deepEqual(empty.dacl?.aces, [allow(bob, fileRights.read)])
})

test('AUTO_INHERITED is stored only with AUTO_INHERIT_REQ, which is never stored; PROTECTED as given', () => {
  const bits = descriptorControl
  const stored = (control: number) =>
    changeSecurity({ current: owned(), change: { control, dacl: { revision: 2, aces: [] } }, information: securityInformation.dacl }).control
  assert.equal(stored(bits.daclAutoInherited), 0)
  assert.equal(stored(bits.daclAutoInheritRequest), 0)
  assert.equal(stored(bits.daclAutoInherited | bits.daclAutoInheritRequest), bits.daclAutoInherited)
  assert.equal(stored(bits.daclProtected | bits.daclAutoInherited), bits.daclProtected)
})

test('changing the owner leaves the DACL and its control bits alone', () => {
  const current = { ...owned(allow(alice, 1)), control: descriptorControl.daclAutoInherited | descriptorControl.daclProtected }
  const changed = changeSecurity({ current, change: { control: 0, owner: 'S-1-1-0' }, information: securityInformation.owner })
  assert.deepEqual(changed, { ...current, owner: 'S-1-1-0', sacl: undefined })
})

test('a DACL that is set but not present becomes a NULL DACL', () => {
  assert.equal(changeSecurity({ current: owned(), change: { control: 0 }, information: securityInformation.dacl }).dacl, null)
})

test('a query returns the parts asked for and the control bits of those', () => {
  const descriptor = { ...owned(allow(alice, 1)), control: descriptorControl.daclProtected | descriptorControl.saclProtected }
  const ownerOnly = selectSecurity(descriptor, securityInformation.owner)
  assert.deepEqual(ownerOnly, { control: 0, owner: alice, group: undefined, dacl: undefined, sacl: undefined })
  assert.equal(selectSecurity(descriptor, securityInformation.dacl).control, descriptorControl.daclProtected)
})

test('labels and audit entries of a SACL are set and queried apart', () => {
  const label: Ace = { type: 0x11, flags: 0, mask: 1, sid: 'S-1-16-12288' }
  const audit: Ace = { type: 0x02, flags: 0x80, mask: 2, sid: bob }
  const first = changeSecurity({
    current: owned(),
    change: { control: 0, sacl: { revision: 2, aces: [label, audit] } },
    information: securityInformation.label,
  })
  assert.deepEqual(first.sacl?.aces, [label])
  const both = changeSecurity({ current: first, change: { control: 0, sacl: { revision: 2, aces: [audit] } }, information: securityInformation.sacl })
  assert.deepEqual(both.sacl?.aces, [label, audit])
  assert.deepEqual(selectSecurity(both, securityInformation.label).sacl?.aces, [label])
})

test('the rights to query and to set security (MS-FSA 2.1.5.14, 2.1.5.17)', () => {
  const { owner, dacl, sacl } = securityInformation
  assert.equal(accessToQuerySecurity(owner | dacl), access.readControl)
  assert.equal(accessToQuerySecurity(sacl), access.accessSystemSecurity)
  assert.equal(accessToSetSecurity(owner | dacl), access.writeOwner | access.writeDac)
})

test('an owner may be any SID of the token, or anybody with SeRestorePrivilege', () => {
  assert.equal(mayAssignOwner(token, wellKnownSids.everyone), true)
  assert.equal(mayAssignOwner(token, bob), false)
  assert.equal(mayAssignOwner(token, 'S-1-5-88-1-1000'), true, "a client's uid")
  assert.equal(mayAssignOwner(createToken({ user: alice, privileges: ['restore'] }), bob), true)
})

test('below a default root everybody authenticated works with everything', () => {
  const root = defaultRootDescriptor({ owner: wellKnownSids.administrators, group: wellKnownSids.administrators })
  assert.equal(effectiveAccess({ descriptor: root, token }), fileRights.all)
  const file = createDescriptor({ parent: root, creator: { owner: bob, group: staff }, isFolder: false })
  assert.equal(effectiveAccess({ descriptor: file, token }), fileRights.all)
  assert.equal(file.control, descriptorControl.daclAutoInherited)
})

test('the descriptor cache gives one object for the same bytes and stays bounded', () => {
  const cache = new DescriptorCache({ capacity: 2 })
  const bytes = encodeSecurityDescriptor(owned(allow(alice, 1)))
  assert.equal(cache.decode(bytes), cache.decode(Buffer.from(bytes)))
  for (const user of [bob, staff, alice]) cache.decode(encodeSecurityDescriptor({ control: 0, owner: user }))
  assert.notEqual(cache.decode(bytes), undefined)
})
