/** Constants of MS-SMB2 section 2.2 that more than one message uses. Each object is a table of the specification. */

/** SMB2 command codes (2.2.1). */
export const Command = {
  negotiate: 0x00,
  sessionSetup: 0x01,
  logoff: 0x02,
  treeConnect: 0x03,
  treeDisconnect: 0x04,
  create: 0x05,
  close: 0x06,
  flush: 0x07,
  read: 0x08,
  write: 0x09,
  lock: 0x0a,
  ioctl: 0x0b,
  cancel: 0x0c,
  echo: 0x0d,
  queryDirectory: 0x0e,
  changeNotify: 0x0f,
  queryInfo: 0x10,
  setInfo: 0x11,
  oplockBreak: 0x12,
  serverToClientNotification: 0x13,
} as const

const commandNames = new Map<number, string>(Object.entries(Command).map(([name, code]) => [code, name]))

/** `create` for 5; `command 0x42` for what isn't one. */
export const commandName = (code: number): string => commandNames.get(code) ?? `command 0x${code.toString(16)}`

/** SMB2_FLAGS_* of the header (2.2.1). */
export const HeaderFlags = {
  serverToRedir: 0x0000_0001,
  asyncCommand: 0x0000_0002,
  relatedOperations: 0x0000_0004,
  signed: 0x0000_0008,
  /** Three bits, 3.1.1 only. */
  priorityMask: 0x0000_0070,
  dfsOperations: 0x1000_0000,
  replayOperation: 0x2000_0000,
} as const

/** Dialect revisions (2.2.3, 2.2.4). */
export const Dialect = {
  smb202: 0x0202,
  smb210: 0x0210,
  smb300: 0x0300,
  smb302: 0x0302,
  smb311: 0x0311,
  /** "SMB 2.???" of a multi-protocol negotiation (2.2.4). */
  wildcard: 0x02ff,
} as const

/** SMB2_NEGOTIATE_SIGNING_* (2.2.3, 2.2.4; SESSION_SETUP has it as well). */
export const SecurityMode = { signingEnabled: 0x0001, signingRequired: 0x0002 } as const

/** SMB2_GLOBAL_CAP_* (2.2.3, 2.2.4, 2.2.5). */
export const Capability = {
  dfs: 0x0000_0001,
  leasing: 0x0000_0002,
  largeMtu: 0x0000_0004,
  multiChannel: 0x0000_0008,
  persistentHandles: 0x0000_0010,
  directoryLeasing: 0x0000_0020,
  encryption: 0x0000_0040,
  notifications: 0x0000_0080,
} as const

/** SMB2_SESSION_FLAG_* of a SESSION_SETUP request (2.2.5). */
export const SessionSetupFlags = { binding: 0x01 } as const

/** SMB2_SESSION_FLAG_* of a SESSION_SETUP response (2.2.6). */
export const SessionFlags = { isGuest: 0x0001, isNull: 0x0002, encryptData: 0x0004 } as const

/** SMB2_TREE_CONNECT_FLAG_* (2.2.9). */
export const TreeConnectFlags = { clusterReconnect: 0x0001, redirectToOwner: 0x0002, extensionPresent: 0x0004 } as const

/** SMB2_SHARE_TYPE_* (2.2.10). */
export const ShareType = { disk: 0x01, pipe: 0x02, print: 0x03 } as const

/** SMB2_SHAREFLAG_* (2.2.10). */
export const ShareFlags = {
  manualCaching: 0x0000_0000,
  dfs: 0x0000_0001,
  dfsRoot: 0x0000_0002,
  autoCaching: 0x0000_0010,
  vdoCaching: 0x0000_0020,
  noCaching: 0x0000_0030,
  restrictExclusiveOpens: 0x0000_0100,
  forceSharedDelete: 0x0000_0200,
  allowNamespaceCaching: 0x0000_0400,
  accessBasedDirectoryEnum: 0x0000_0800,
  forceLeveliiOplock: 0x0000_1000,
  enableHashV1: 0x0000_2000,
  enableHashV2: 0x0000_4000,
  encryptData: 0x0000_8000,
  identityRemoting: 0x0004_0000,
  compressData: 0x0010_0000,
  isolatedTransport: 0x0020_0000,
} as const

/** SMB2_SHARE_CAP_* (2.2.10). */
export const ShareCapability = {
  dfs: 0x0000_0008,
  continuousAvailability: 0x0000_0010,
  scaleout: 0x0000_0020,
  cluster: 0x0000_0040,
  asymmetric: 0x0000_0080,
  redirectToOwner: 0x0000_0100,
} as const

/** SMB2_OPLOCK_LEVEL_* (2.2.13). */
export const OplockLevel = { none: 0x00, ii: 0x01, exclusive: 0x08, batch: 0x09, lease: 0xff } as const

/** SMB2_LEASE_* states (2.2.13.2.8). */
export const LeaseState = { none: 0x00, readCaching: 0x01, handleCaching: 0x02, writeCaching: 0x04 } as const

/** SMB2_LEASE_FLAG_* (2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10). */
export const LeaseFlags = { breakInProgress: 0x02, parentLeaseKeySet: 0x04 } as const

/** Impersonation levels (2.2.13). */
export const ImpersonationLevel = { anonymous: 0, identification: 1, impersonation: 2, delegate: 3 } as const

/** FILE_SHARE_* (2.2.13). */
export const ShareAccess = { read: 0x1, write: 0x2, delete: 0x4 } as const

/** CreateDisposition (2.2.13). */
export const CreateDisposition = { supersede: 0, open: 1, create: 2, openIf: 3, overwrite: 4, overwriteIf: 5 } as const

/** CreateAction of a CREATE response (2.2.14). */
export const CreateAction = { superseded: 0, opened: 1, created: 2, overwritten: 3 } as const

/** SMB2_CREATE_FLAG_* of a CREATE response (2.2.14). */
export const CreateResponseFlags = { reparsePoint: 0x01 } as const

/** CreateOptions (2.2.13). */
export const CreateOptions = {
  directoryFile: 0x0000_0001,
  writeThrough: 0x0000_0002,
  sequentialOnly: 0x0000_0004,
  noIntermediateBuffering: 0x0000_0008,
  synchronousIoAlert: 0x0000_0010,
  synchronousIoNonalert: 0x0000_0020,
  nonDirectoryFile: 0x0000_0040,
  createTreeConnection: 0x0000_0080,
  completeIfOplocked: 0x0000_0100,
  noEaKnowledge: 0x0000_0200,
  openRemoteInstance: 0x0000_0400,
  randomAccess: 0x0000_0800,
  deleteOnClose: 0x0000_1000,
  openByFileId: 0x0000_2000,
  openForBackupIntent: 0x0000_4000,
  noCompression: 0x0000_8000,
  openRequiringOplock: 0x0001_0000,
  disallowExclusive: 0x0002_0000,
  reserveOpfilter: 0x0010_0000,
  openReparsePoint: 0x0020_0000,
  openNoRecall: 0x0040_0000,
  openForFreeSpaceQuery: 0x0080_0000,
} as const

/** FILE_ATTRIBUTE_* (MS-FSCC 2.6). */
export const FileAttribute = {
  readonly: 0x0000_0001,
  hidden: 0x0000_0002,
  system: 0x0000_0004,
  directory: 0x0000_0010,
  archive: 0x0000_0020,
  normal: 0x0000_0080,
  temporary: 0x0000_0100,
  sparseFile: 0x0000_0200,
  reparsePoint: 0x0000_0400,
  compressed: 0x0000_0800,
  offline: 0x0000_1000,
  notContentIndexed: 0x0000_2000,
  encrypted: 0x0000_4000,
  integrityStream: 0x0000_8000,
  noScrubData: 0x0002_0000,
  recallOnOpen: 0x0004_0000,
  pinned: 0x0008_0000,
  unpinned: 0x0010_0000,
  recallOnDataAccess: 0x0040_0000,
} as const

/** SMB2_CLOSE_FLAG_* (2.2.15). */
export const CloseFlags = { postqueryAttrib: 0x0001 } as const

/** SMB2_READFLAG_* (2.2.19). */
export const ReadFlags = { readUnbuffered: 0x01, requestCompressed: 0x02, requestTransportEncryption: 0x04 } as const

/** SMB2_WRITEFLAG_* (2.2.21). */
export const WriteFlags = { writeThrough: 0x0000_0001, writeUnbuffered: 0x0000_0002, requestTransportEncryption: 0x0000_0004 } as const

/** SMB2_CHANNEL_* of READ and WRITE (2.2.19, 2.2.21). */
export const Channel = { none: 0, rdmaV1: 1, rdmaV1Invalidate: 2, rdmaTransform: 3 } as const

/** SMB2_LOCKFLAG_* (2.2.26.1). */
export const LockFlags = { sharedLock: 0x01, exclusiveLock: 0x02, unlock: 0x04, failImmediately: 0x10 } as const

/** Flags of an IOCTL request (2.2.31). */
export const IoctlFlags = { isFsctl: 0x0000_0001 } as const

/** SMB2_RESTART_SCANS and the like of QUERY_DIRECTORY (2.2.33). */
export const QueryDirectoryFlags = { restartScans: 0x01, returnSingleEntry: 0x02, indexSpecified: 0x04, reopen: 0x10 } as const

/** SMB2_WATCH_TREE (2.2.35). */
export const ChangeNotifyFlags = { watchTree: 0x0001 } as const

/** FILE_NOTIFY_CHANGE_* (2.2.35). */
export const CompletionFilter = {
  fileName: 0x0000_0001,
  dirName: 0x0000_0002,
  attributes: 0x0000_0004,
  size: 0x0000_0008,
  lastWrite: 0x0000_0010,
  lastAccess: 0x0000_0020,
  creation: 0x0000_0040,
  ea: 0x0000_0080,
  security: 0x0000_0100,
  streamName: 0x0000_0200,
  streamSize: 0x0000_0400,
  streamWrite: 0x0000_0800,
} as const

/** SMB2_0_INFO_* (2.2.37, 2.2.39). */
export const InfoType = { file: 1, fileSystem: 2, security: 3, quota: 4 } as const

/** SL_* flags of QUERY_INFO for extended attributes (2.2.37). */
export const QueryInfoFlags = { restartScan: 0x1, returnSingleEntry: 0x2, indexSpecified: 0x4 } as const

/** What `FileId`, `TreeId` and `SessionId` say in a related request of a compound (3.2.4.1.4). */
export const relatedFileId = { persistent: 0xffff_ffff_ffff_ffffn, volatile: 0xffff_ffff_ffff_ffffn } as const

/** MessageId of what the server sends unasked, as an oplock break (3.3.4.6). */
export const unsolicitedMessageId = 0xffff_ffff_ffff_ffffn
