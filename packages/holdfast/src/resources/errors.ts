/** What can be wrong with what is asked of a node's shares, users, sessions and opens. */

/** By code: what it means. The message of an error says what to do. */
export const resourceErrorCodes = {
  /** There is a share of this name; case does not count. */
  SHARE_EXISTS: 'there is a share of this name',
  UNKNOWN_SHARE: 'there is no share of this name',
  /** The command line or the configuration file names it. */
  SHARE_CONFIGURED: 'the share is in the configuration, and has to be changed there',
  /** Not absolute, not there, not a folder, or not readable. */
  INVALID_PATH: 'the path is not one that can be shared',
  /** Not a word of `--share`. */
  INVALID_OPTION: 'an option is not one that a share can have',
  USER_EXISTS: 'there is a user of this name',
  UNKNOWN_USER: 'there is no user of this name',
  /** The command line or the configuration file says that of the user. */
  USER_CONFIGURED: 'the user is in the configuration, and has to be changed there',
  /** Empty, or too long. */
  INVALID_PASSWORD: 'the password is not one that a user can have',
  /** Somebody has to be able to change things. */
  LAST_ADMIN: 'the user is the last administrator who can log in',
  /** Of a share or a user. */
  INVALID_NAME: 'the name is not allowed',
  UNKNOWN_SESSION: 'there is no such session',
  UNKNOWN_OPEN: 'there is no such open file',
  /** The node's store did not take it; it may have happened. */
  STATE_UNAVAILABLE: "the node's state cannot be read or written",
} as const

/** One of `resourceErrorCodes`. */
export type ResourceErrorCode = keyof typeof resourceErrorCodes

/** `code` is stable, `message` says what to do about it. Over the way between workers its class is lost, its code is not. */
export class ResourceError extends Error {
  readonly code: ResourceErrorCode
  constructor(code: ResourceErrorCode, message: string = resourceErrorCodes[code], options?: ErrorOptions) {
    super(message, options)
    this.name = 'ResourceError'
    this.code = code
  }
}
