/** Wrong configuration or usage: one line for people, exit 2. */

/** `code` is stable; the message names the key, the value and what is allowed. */
export class ConfigError extends Error {
  readonly code: string
  constructor(message: string, code = 'CONFIG', options?: ErrorOptions) {
    super(message, options)
    this.name = 'ConfigError'
    this.code = code
  }
}

/** A value's text within a message: short, quoted, without control characters. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const clean = text.replaceAll(/[\u0000-\u001f\u007f]/g, '?')
  return `"${clean.length > 80 ? `${clean.slice(0, 77)}...` : clean}"`
}

/** Where a value came from, as a person would write it: `--smb`, `smb in holdfast.yaml`, or `smb` of an API call. */
export interface Origin {
  readonly key: string
  readonly isOption?: true
  /** The file's path; undefined for a flag. */
  readonly file?: string
}

export const originText = ({ key, file, isOption }: Origin): string => (file === undefined ? `${isOption ? '' : '--'}${key}` : `${key} in ${file}`)

/** `--smb: "x" is not allowed; allowed: ADDR:PORT` */
export function badValue(origin: Origin, value: unknown, allowed: string): ConfigError {
  return new ConfigError(`${originText(origin)}: ${quoted(value)} is not allowed; allowed: ${allowed}`)
}
