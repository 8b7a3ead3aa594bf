/** Functions of the kernel that programs may call by their number in its type information (Documentation/bpf/btf.rst, kfuncs.rst). */

import { readFileSync } from 'node:fs'

const magic = 0xeb9f
/** struct btf_header. */
const headerAt = { headerBytes: 4, typesAt: 8, typesBytes: 12, stringsAt: 16, stringsBytes: 20 } as const
/** struct btf_type: name, kind and number of parts, size or type. */
const typeBytes = 12
const kindOf = (info: number): number => (info >>> 24) & 0x1f
const partsOf = (info: number): number => info & 0xffff
const FUNC = 12
/** Bytes behind a type by its kind: as such, and for each part. */
const bytesBehind: Readonly<Record<number, readonly [fixed: number, part: number]>> = {
  1: [4, 0], // INT
  3: [12, 0], // ARRAY
  4: [0, 12], // STRUCT
  5: [0, 12], // UNION
  6: [0, 8], // ENUM
  13: [0, 8], // FUNC_PROTO
  14: [4, 0], // VAR
  15: [0, 12], // DATASEC
  17: [4, 0], // DECL_TAG
  19: [0, 12], // ENUM64
}

/** The number of a function in type information; undefined when it is not there. */
export function functionNumber(btf: Buffer, name: string): number | undefined {
  if (btf.length < 24 || btf.readUInt16LE(0) !== magic) return undefined
  const begin = btf.readUInt32LE(headerAt.headerBytes)
  const strings = begin + btf.readUInt32LE(headerAt.stringsAt)
  const names = btf.subarray(strings, strings + btf.readUInt32LE(headerAt.stringsBytes))
  const found = names.indexOf(`\0${name}\0`, 0, 'latin1')
  if (found < 0) return undefined
  const types = begin + btf.readUInt32LE(headerAt.typesAt)
  const end = types + btf.readUInt32LE(headerAt.typesBytes)
  for (let at = types, number = 1; at < end; number++) {
    const info = btf.readUInt32LE(at + 4)
    if (kindOf(info) === FUNC && btf.readUInt32LE(at) === found + 1) return number
    const [fixed, part] = bytesBehind[kindOf(info)] ?? [0, 0]
    at += typeBytes + fixed + part * partsOf(info)
  }
  return undefined
}

/** The number of a function of the running kernel; undefined when it has none, or says nothing about its types. */
export function kernelFunction(name: string): number | undefined {
  try {
    return functionNumber(readFileSync('/sys/kernel/btf/vmlinux'), name)
  } catch {
    return undefined
  }
}
