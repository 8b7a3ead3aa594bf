import { globSync } from 'node:fs'
import { root } from './root.ts'

const unitPatterns = [
  'packages/*/src/**/*.test.ts',
  'testing/*.test.ts',
  'testing/*/*.test.ts',
  'tools/**/*.test.ts',
  'bench/**/*.test.ts',
  'fuzz/**/*.test.ts',
]
const integrationPatterns = ['testing/peers/*.test.ts', 'testing/handoff/*.test.ts', 'examples/**/*.test.ts']

function find(patterns: readonly string[]): string[] {
  return globSync([...patterns], { cwd: root, exclude: name => name.includes('node_modules') })
    .map(file => file.replaceAll('\\', '/'))
    .sort()
}

/** Tests that need nothing but this repository, as paths relative to the root. */
export function unitTestFiles(): string[] {
  const suites = new Set(integrationTestFiles())
  return find(unitPatterns).filter(file => !suites.has(file))
}

/** Suites against real peers (Samba, smbclient, curl, ...), as paths relative to the root. */
export function integrationTestFiles(): string[] {
  return find(integrationPatterns)
}
