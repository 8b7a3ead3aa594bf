import type { Repository } from '../architecture/repository.ts'
import { isTest } from '../architecture/repository.ts'
import { lineAt } from '../architecture/imports.ts'

/** The code of an `@example` in a docstring, or of a block in a page of documentation. */
export interface Example {
  readonly path: string
  readonly line: number
  /** The top-level export it stands at or in; `''` for one of a whole file. */
  readonly owner: string
  readonly code: string
}

const docstring = /^( *)\/\*\*[\s\S]*?\*\//gm
const topLevel = /^(?:export )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const) +([\w$]+)/
const tag = /^ *\* @(\w+)[^\n]*\n?/gm

/** All examples of the rooms' files, tests left out, and of the pages about embedding. */
export function examplesOf(repository: Repository): Example[] {
  return [...docstringExamples(repository), ...pageExamples(repository)]
}

/** Indented blocks that begin with an import. */
const pageBlock = /(?<=\n\n)    import [^]*?(?=\n\n(?!    )|$)/g

function pageExamples(repository: Repository): Example[] {
  return repository.files
    .filter(({ path }) => /^docs\/embed-[^/]+\.md$/.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(pageBlock)].map(({ 0: block, index }) => ({
        path,
        line: lineAt(text, index),
        owner: '',
        code: block.replace(/^ {4}/gm, '').trim(),
      })),
    )
}

function docstringExamples(repository: Repository): Example[] {
  return repository.files
    .filter(({ path }) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !isTest(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(docstring)].flatMap(comment =>
        codeBlocks(comment[0]).map(({ at, code }) => ({
          path,
          line: lineAt(text, comment.index + at),
          owner: ownerOf(text, comment.index + comment[0].length, comment[1] !== ''),
          code,
        })),
      ),
    )
}

function codeBlocks(comment: string): { readonly at: number; readonly code: string }[] {
  const tags = [...comment.matchAll(tag)]
  return tags.flatMap((found, index) => {
    if (found[1] !== 'example') return []
    const text = comment.slice(found.index + found[0].length, tags[index + 1]?.index ?? comment.lastIndexOf('*/'))
    return [{ at: found.index, code: text.replace(/^ *\* ?/gm, '').trim() }]
  })
}

/** A member's docstring belongs to what it is a member of: the last thing declared at the line's begin before it. */
function ownerOf(text: string, end: number, isMember: boolean): string {
  const lines = isMember ? text.slice(0, end).split('\n').reverse() : [text.slice(end).trimStart().split('\n', 1)[0] ?? '']
  for (const line of lines) {
    const name = topLevel.exec(line)?.[1]
    if (name !== undefined) return name
  }
  return ''
}
