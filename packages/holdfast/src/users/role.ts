/** What people may do. */

/** `user` uses storage only, `viewer` may also look at management, `admin` may change things (and is an administrator over SMB). */
export const roles = ['user', 'viewer', 'admin'] as const
/** One of `roles`. */
export type Role = (typeof roles)[number]
