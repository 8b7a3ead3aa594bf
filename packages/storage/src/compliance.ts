/**
 * What every filesystem must do, as tests of node:test. Run it for your own.
 */
import { after, before, describe, test } from 'node:test'
import type { FileSystem } from './filesystem.ts'
import { dataChecks } from './compliance/data.ts'
import { metadataChecks } from './compliance/metadata.ts'
import { nameChecks } from './compliance/names.ts'
import { Scope, readWrite, type Check } from './compliance/scope.ts'
import { streamChecks } from './compliance/streams.ts'

/** An empty, writable filesystem of at least 64 MiB, and how it goes away. */
export interface FilesystemUnderTest {
  readonly files: FileSystem
  dispose(): void | Promise<void>
}

/** All checks: names, data, metadata and folders, streams. */
export const filesystemChecks: readonly Check[] = [...nameChecks, ...dataChecks, ...metadataChecks, ...streamChecks]

/**
 * Declares the tests. Checks of what a filesystem's `features` say it lacks are skipped.
 *
 * @example
 * filesystemCompliance('my filesystem', async () => ({ files: memory(), dispose: async () => {} }))
 */
export const filesystemCompliance = (name: string, factory: () => FilesystemUnderTest | Promise<FilesystemUnderTest>): void => {
  describe(`filesystem: ${name}`, () => {
    let subject: FilesystemUnderTest
    let count = 0
    before(async () => {
      subject = await factory()
    })
    after(async () => {
      await subject.files.close()
      await subject.dispose()
    })
    for (const { title, needs, run } of filesystemChecks) {
      test(title, async t => {
        const { files } = subject
        if (needs !== undefined && !files.features[needs]) return t.skip(`no ${needs}`)
        const folder = `check-${++count}`
        await (await files.create(folder, '', { folder: true, attributes: 0, access: readWrite })).close()
        const scope = new Scope(files, folder)
        try {
          await run(scope)
        } finally {
          await scope.closeAll()
        }
      })
    }
  })
}
