/** The icons: strokes on a grid of 16. */
import type { JSX } from 'preact'

const paths = {
  overview: 'M1.5 8.5h3l2-5.5 3 10 2-4.5h3',
  volume:
    'M2.5 4c0-1.1 2.5-2 5.5-2s5.5.9 5.5 2-2.5 2-5.5 2-5.5-.9-5.5-2zM2.5 4v8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2V4M2.5 8c0 1.1 2.5 2 5.5 2s5.5-.9 5.5-2',
  share: 'M1.8 12.2V3.8c0-.6.4-1 1-1h3.4l1.6 2h5.4c.6 0 1 .4 1 1v6.4c0 .6-.4 1-1 1H2.8c-.6 0-1-.4-1-1z',
  session: 'M2.8 2.8h10.4c.6 0 1 .4 1 1v6c0 .6-.4 1-1 1H2.8c-.6 0-1-.4-1-1v-6c0-.6.4-1 1-1zM8 10.8v2.7M5 13.5h6',
  open: 'M9.2 1.8H4.3c-.6 0-1 .4-1 1v10.4c0 .6.4 1 1 1h7.4c.6 0 1-.4 1-1V5.3zM9.2 1.8v3.5h3.5M5.8 8.5h4.4M5.8 11h4.4',
  operation: 'M13.9 6.6A6 6 0 1 0 14 8M14 2.8v3.8h-3.8M8 4.8V8l2.2 1.6',
  event: 'M8 8h.01M5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3 13a7 7 0 0 1 0-10M13 3a7 7 0 0 1 0 10',
  user: 'M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.8 14c0-2.6 2.3-4 5.2-4s5.2 1.4 5.2 4',
  audit: 'M5.5 2.8h-2v11.4h9V2.8h-2M5.5 1.8h5v2.4h-5zM5.8 8l1.4 1.4L10.2 6.6M5.8 12h4.4',
  plus: 'M8 3v10M3 8h10',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  menu: 'M2 4h12M2 8h12M2 12h12',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14',
  trash: 'M2.5 4h11M6 4V2.5h4V4M4 4l.6 9.5h6.8L12 4M6.7 6.8v4M9.3 6.8v4',
  edit: 'M10.8 2.6l2.6 2.6-7.8 7.8-3.2.6.6-3.2zM9.2 4.2l2.6 2.6',
  grow: 'M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5',
  snapshot:
    'M1.8 5.2c0-.6.4-1 1-1h2l1-1.7h4.4l1 1.7h2c.6 0 1 .4 1 1v7c0 .6-.4 1-1 1H2.8c-.6 0-1-.4-1-1zM8 11a2.4 2.4 0 1 0 0-4.8A2.4 2.4 0 0 0 8 11z',
  leave: 'M6 2.5H3.2c-.4 0-.7.3-.7.7v9.6c0 .4.3.7.7.7H6M10.5 11l3-3-3-3M13.2 8H6',
  keys: 'M2.2 4h11.6c.4 0 .7.3.7.7v6.6c0 .4-.3.7-.7.7H2.2c-.4 0-.7-.3-.7-.7V4.7c0-.4.3-.7.7-.7zM4 6.8h.01M6.7 6.8h.01M9.3 6.8h.01M12 6.8h.01M5 9.4h6',
  copy: 'M5.5 5.5V2.8h7.7v7.7h-2.7M2.8 5.5h7.7v7.7H2.8z',
  light:
    'M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.3v1.4M8 13.3v1.4M1.3 8h1.4M13.3 8h1.4M3.3 3.3l1 1M11.7 11.7l1 1M12.7 3.3l-1 1M4.3 11.7l-1 1',
  dark: 'M13.5 9.5A5.8 5.8 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7z',
  system: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M8 4.6h4.7M8 7.2h5.9M8 9.8h5.7M8 12.4h3.8',
  right: 'M6 3.5L10.5 8 6 12.5',
  up: 'M4 9.5L8 5.5l4 4',
  down: 'M4 6.5l4 4 4-4',
  warning: 'M8 2L1.5 13.5h13zM8 6.5v3.2M8 11.6h.01',
  done: 'M3 8.5l3.3 3.3L13 4.8',
  stop: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM3.8 3.8l8.4 8.4',
  lock: 'M3.5 7.2h9v6.6h-9zM5.5 7.2V5a2.5 2.5 0 0 1 5 0v2.2',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M4.5 2.8v10.4L13 8z',
} as const

/** The name of an icon. */
export type IconName = keyof typeof paths

/** Decoration: what it means stands beside it, or in the label of what it is in. */
export const Icon = ({ name }: { readonly name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d={paths[name]} />
  </svg>
)

/** The mark: a post and its crossbar, to make fast to. */
export const Mark = (): JSX.Element => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="7" />
    <path d="M10 7v18M22 7v18M10 16h12" />
  </svg>
)
