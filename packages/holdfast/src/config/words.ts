/**
 * The words of the configuration, each once: as `--word` on the command line and as `word:` in the file they mean the same.
 * Command line, file and JSON schema are made from this table.
 */

import { z } from 'zod'
import { addressAllowed, addressPattern } from './addresses.ts'
import { limitAllowed, limitNames, limits } from './limits.ts'
import {
  initiatorAllowed,
  initiatorPattern,
  nodeNameAllowed,
  nodeNamePattern,
  realmPattern,
  shareNameAllowed,
  shareNamePattern,
  userNameAllowed,
  userNamePattern,
  volumeNameAllowed,
  volumeNamePattern,
} from './names.ts'
import { volumeAllowed, volumeBlockSizes, volumeFlagNames, volumeOptionsAllowed, volumeSizeAllowed } from './volumes.ts'

export const shareOptionNames = [
  'read-only',
  'encrypt',
  'access-based-enumeration',
  'immediate-write-times',
  'continuous-availability',
  'public',
  'active-content',
  'scale-out',
] as const
export type ShareOption = (typeof shareOptionNames)[number]

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const logFormats = ['json', 'pretty'] as const
export const signingModes = ['required', 'enabled'] as const
export const ntlmModes = ['on', 'off'] as const
export const anonymousModes = ['off', 'on'] as const
export const metricsModes = ['login', 'open'] as const

export const allowed = {
  share: `NAME=DIR[,option...] with the options ${shareOptionNames.join(', ')}`,
  user: 'NAME:PASSWORD, neither of them empty',
  workers: 'a whole number from 1 to 64',
  folder: 'the path of a folder',
  volume: volumeAllowed,
  store: 'sqlite or etcd://HOST:PORT[,HOST:PORT]',
  keytab: 'the path of a keytab',
  realm: 'a Kerberos realm such as EXAMPLE.COM (upper and lower case differ)',
  limit: `NAME=VALUE with one of ${limitNames.join(', ')}`,
  limits: `a mapping with the keys ${limitNames.join(', ')}`,
} as const

export interface Word {
  readonly schema: z.ZodType
  /** The argument's name in `--help`. */
  readonly argument: string
  readonly help: string
  readonly allowed: string
  /** May be given several times; a list in the file. */
  readonly repeatable?: true
  /** Its value has a password in it: never shown. */
  readonly secret?: true
  /** What is missing in this version: a clear answer is better than silence. */
  readonly notYet?: string
}

const text = (allowed: string) => z.string({ error: allowed }).min(1, { error: allowed })
const pattern = (pattern: RegExp, allowed: string) => z.string({ error: allowed }).regex(pattern, { error: allowed })
const oneOrMore = <T extends z.ZodType>(item: T, allowed: string) => z.union([item, z.array(item, { error: allowed })], { error: allowed })
const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, { error: values.join(' or ') })

const shareObject = z.strictObject(
  {
    name: pattern(shareNamePattern, shareNameAllowed),
    path: text(allowed.folder).describe('The folder; relative to the file it is named in'),
    options: z.array(oneOf(shareOptionNames), { error: `a list of ${shareOptionNames.join(', ')}` }).optional(),
    comment: z.string({ error: 'a text' }).max(256, { error: 'at most 256 characters' }).optional().describe('Shown beside the share in lists'),
    users: z
      .array(pattern(userNamePattern, userNameAllowed), { error: 'a list of user names' })
      .optional()
      .describe('Who may connect; every user where it is left out'),
  },
  { error: allowed.share },
)

const volumeObject = z.strictObject(
  {
    name: pattern(volumeNamePattern, volumeNameAllowed),
    size: z.union([z.int({ error: volumeSizeAllowed }), text(volumeSizeAllowed)], { error: volumeSizeAllowed }).describe('Such as 10GiB'),
    options: z.array(oneOf(volumeFlagNames), { error: `a list of ${volumeFlagNames.join(', ')}` }).optional(),
    'block-size': z
      .literal([...volumeBlockSizes], { error: volumeBlockSizes.join(' or ') })
      .optional()
      .describe('Bytes of a logical block; kept from when it was made'),
    users: z
      .array(pattern(userNamePattern, userNameAllowed), { error: 'a list of user names' })
      .min(1, { error: 'one user name or more' })
      .optional()
      .describe('Who may log in; every user where it is left out'),
    initiators: z
      .array(pattern(initiatorPattern, initiatorAllowed), { error: 'a list of iSCSI names' })
      .min(1, { error: 'one iSCSI name or more' })
      .optional()
      .describe('iSCSI names of the initiators that may log in; all where it is left out'),
  },
  { error: allowed.volume },
)

const limitSchemas = Object.fromEntries(
  limitNames.map(name => {
    const error = limitAllowed(name)
    return [
      name,
      z
        .union([z.int({ error }), z.string({ error })], { error })
        .optional()
        .describe(`At most: ${limits[name].help}`),
    ]
  }),
)

const address = oneOrMore(pattern(addressPattern, addressAllowed), addressAllowed)

export const words = {
  state: { argument: 'DIR', schema: text(allowed.folder), allowed: allowed.folder, help: 'where the node keeps its own state (default ./.holdfast)' },
  share: {
    argument: 'NAME=DIR[,option...]',
    schema: oneOrMore(z.union([text(allowed.share), shareObject], { error: allowed.share }), allowed.share),
    allowed: allowed.share,
    repeatable: true,
    help: `a folder to serve; options: ${shareOptionNames.join(', ')}`,
  },
  volume: {
    argument: 'NAME=SIZE[,option...]',
    schema: oneOrMore(z.union([text(allowed.volume), volumeObject], { error: allowed.volume }), allowed.volume),
    allowed: allowed.volume,
    repeatable: true,
    help: `a block volume for iSCSI, thin, made where it is missing, e.g. disk0=1GiB; options: ${volumeOptionsAllowed}`,
  },
  volumes: {
    argument: 'DIR',
    schema: text(allowed.folder),
    allowed: allowed.folder,
    help: 'where the bytes of volumes lie (default: where they did last, at first the folder volumes in the state)',
  },
  user: {
    argument: 'NAME:PASSWORD',
    schema: oneOrMore(text(allowed.user), allowed.user),
    allowed: allowed.user,
    repeatable: true,
    secret: true,
    help: 'who may connect; kept hashed and encrypted in the state, never printed back',
  },
  admin: {
    argument: 'NAME:PASSWORD',
    schema: oneOrMore(text(allowed.user), allowed.user),
    allowed: allowed.user,
    repeatable: true,
    secret: true,
    help: 'who may use the management API and console to change things; kept as users are',
  },
  smb: {
    argument: 'ADDR:PORT',
    schema: address,
    allowed: addressAllowed,
    repeatable: true,
    help: 'listen for SMB; one per network interface (default 127.0.0.1:4450)',
  },
  iscsi: {
    argument: 'ADDR:PORT',
    schema: address,
    allowed: addressAllowed,
    repeatable: true,
    help: 'listen for iSCSI; one per network interface (default with volumes: 127.0.0.1:3260)',
  },
  'mutual-chap': {
    argument: 'USER',
    schema: pattern(userNamePattern, userNameAllowed),
    allowed: userNameAllowed,
    help: 'the user by whose name and password initiators that ask see who this target is (mutual CHAP)',
  },
  http: {
    argument: 'ADDR:PORT',
    schema: address,
    allowed: addressAllowed,
    repeatable: true,
    help: 'listen for the management API, its console, /healthz, /readyz and /metrics',
  },
  metrics: {
    argument: 'MODE',
    schema: oneOf(metricsModes),
    allowed: metricsModes.join(' or '),
    help: 'who may read /metrics: login (default; viewers, by a token), or open (whoever reaches it)',
  },
  rdma: { argument: 'ADDR:PORT', schema: address, allowed: addressAllowed, repeatable: true, help: 'listen for SMB Direct', notYet: 'SMB Direct' },
  content: {
    argument: 'ADDR:PORT',
    schema: address,
    allowed: addressAllowed,
    repeatable: true,
    help: 'listen for HTTP content of the shares: files and folders, to read',
  },
  workers: {
    argument: 'N',
    schema: z.int({ error: allowed.workers }).min(1, { error: allowed.workers }).max(64, { error: allowed.workers }),
    allowed: allowed.workers,
    help: 'worker nodes (default: one per core; with a single core the main thread does the work)',
  },
  store: {
    argument: 'STORE',
    schema: text(allowed.store),
    allowed: allowed.store,
    help: 'where cluster state is kept: sqlite or etcd://HOST:PORT[,…]',
    notYet: 'the cluster store',
  },
  node: {
    argument: 'NAME',
    schema: pattern(nodeNamePattern, nodeNameAllowed),
    allowed: nodeNameAllowed,
    help: "the server's name (default: the machine's)",
  },
  cluster: { argument: 'NAME', schema: text('a name'), allowed: 'a name', help: 'the cluster to join', notYet: 'clustering' },
  signing: {
    argument: 'MODE',
    schema: oneOf(signingModes),
    allowed: signingModes.join(' or '),
    help: 'SMB signing: required (default), or enabled (clients decide)',
  },
  keytab: {
    argument: 'FILE',
    schema: text(allowed.keytab),
    allowed: allowed.keytab,
    help: "log in with Kerberos by the server's keys in this file (cifs/NAME@REALM)",
  },
  realm: {
    argument: 'REALM',
    schema: oneOrMore(pattern(realmPattern, allowed.realm), allowed.realm),
    allowed: allowed.realm,
    repeatable: true,
    help: "a realm whose principals are users here (default: the keytab's)",
  },
  ntlm: {
    argument: 'MODE',
    schema: oneOf(ntlmModes),
    allowed: ntlmModes.join(' or '),
    help: 'log in with a password: on (default), or off (Kerberos only)',
  },
  anonymous: {
    argument: 'MODE',
    schema: oneOf(anonymousModes),
    allowed: anonymousModes.join(' or '),
    help: 'clients without a name: off (default), or on (they may ask what the server is, and reach no share)',
  },
  limit: {
    argument: 'NAME=VALUE',
    schema: z.strictObject(limitSchemas, { error: allowed.limits }),
    allowed: allowed.limit,
    repeatable: true,
    help: 'change a limit, e.g. connections=100',
  },
  'log-level': { argument: 'LEVEL', schema: oneOf(logLevels), allowed: logLevels.join(', '), help: `one of ${logLevels.join(', ')} (default info)` },
  'log-format': {
    argument: 'FORMAT',
    schema: oneOf(logFormats),
    allowed: logFormats.join(' or '),
    help: 'json or pretty (default: pretty on a terminal)',
  },
} as const satisfies Record<string, Word>

export type WordName = keyof typeof words
export const wordNames = Object.keys(words) as WordName[]
export const wordOf = (name: WordName): Word => words[name]

/** The file as it is written. */
export const fileSchema = z.strictObject(
  Object.fromEntries(
    wordNames.map(name => {
      const { schema, help, notYet } = wordOf(name)
      return [name, schema.optional().describe(notYet === undefined ? help : `${help} (not available yet)`)]
    }),
  ),
)

/** The published JSON schema of the file (`holdfast config schema`). */
export function fileJsonSchema(): object {
  const schema = z.toJSONSchema(fileSchema, { io: 'input' }) as Record<string, unknown>
  return { ...schema, title: 'Holdfast configuration (holdfast.yaml)' }
}
