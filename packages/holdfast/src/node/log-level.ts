/** Which lines a node's log takes. */

const levels: readonly (string | undefined)[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Whether a line of `level` is told where the node's level is `nodeLevel` (`info` where undefined). */
export const levelTold = (level: string, nodeLevel = 'info'): boolean => levels.indexOf(level) >= levels.indexOf(nodeLevel)
