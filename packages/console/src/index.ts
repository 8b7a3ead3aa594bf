/** The web console's files, for the node that serves them. */

/** The folder that `vite build` fills. */
export const consoleFolder: URL = new URL('../dist/', import.meta.url)
