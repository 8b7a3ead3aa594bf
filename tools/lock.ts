/**
 * The lock file, and what npm leaves out of it.
 *
 * Tools with a binary per platform name all of them as optional dependencies. npm writes only those into package-lock.json that the
 * registry at hand has, and `npm ci` then refuses the lock file for the rest. `missingPlatforms` finds them, `completeLock` adds them
 * as npm itself would (but for the integrity, which only their tarballs could tell).
 */

/** An entry of `packages` in package-lock.json. */
export interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** package-lock.json, as far as it matters here. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

/** Optional dependencies that no entry stands for, by the path their entry would have. */
export function missingPlatforms({ packages }: Lock): ReadonlyMap<string, LockEntry> {
  const missing = new Map<string, LockEntry>()
  for (const [path, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const place = `node_modules/${name}`
      if (place in packages || `${path}/${place}` in packages) continue
      missing.set(place, { version, ...platformOf(name), ...(dev === true ? { dev } : {}) })
    }
  }
  return missing
}

/** `@oxfmt/binding-linux-x64-musl` -> { os: [linux], cpu: [x64], libc: [musl], optional: true }. */
function platformOf(name: string): object {
  const words = name.slice(name.indexOf('/') + 1)
  const find = (list: readonly string[]): string[] => list.filter(word => words.includes(word)).slice(0, 1)
  const os = find(systems)
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : []
  return { cpu: find(processors), ...(os[0] === 'linux' && libc.length > 0 ? { libc } : {}), optional: true, os }
}

/** The lock file with all platforms, its entries in npm's order. */
export function completeLock(lock: Lock): Lock {
  const packages = [...Object.entries(lock.packages), ...missingPlatforms(lock)].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...lock, packages: Object.fromEntries(packages) }
}
