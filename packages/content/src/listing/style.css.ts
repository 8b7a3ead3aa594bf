/** How pages look: in light and in dark, without anything that has to be fetched. */
export const style = `
:root { color-scheme: light dark; --text: #1c2430; --quiet: #5d6875; --line: #e3e7ec; --page: #f6f7f9; --card: #fff; --link: #0b5cad; --hover: #eef4fb; --folder: #d9962b; --file: #8a94a0 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e7ec; --quiet: #98a3af; --line: #2b323b; --page: #14181d; --card: #1b2027; --link: #7db8f0; --hover: #232b35; --folder: #e0ab50; --file: #76818d }
}
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem 3rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main, footer, nav { max-width: 60rem; margin: 0 auto }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline }
nav { margin-bottom: 1rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
nav ol { display: flex; flex-wrap: wrap; margin: 0; padding: 0; list-style: none }
nav h1 { display: inline; padding: 0; font: inherit }
nav li + li::before { content: "/"; margin: 0 .45rem; color: var(--quiet); font-weight: 400 }
main { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden }
table { width: 100%; border-collapse: collapse }
th, td { padding: .55rem 1rem; text-align: left; white-space: nowrap }
th { color: var(--quiet); font-size: .8rem; font-weight: 500; border-bottom: 1px solid var(--line) }
th a { color: inherit }
th[aria-sort] a::after { content: " \\2191" }
th[aria-sort=descending] a::after { content: " \\2193" }
td { border-top: 1px solid var(--line); color: var(--quiet); font-variant-numeric: tabular-nums }
tbody tr:first-child td { border-top: 0 }
tbody tr:hover { background: var(--hover) }
td.name { width: 100%; white-space: normal; overflow-wrap: anywhere }
td.name a { display: flex; align-items: center; gap: .7rem }
.size { text-align: right }
svg { flex: none; width: 1.15rem; height: 1.15rem }
svg.folder { color: var(--folder) }
svg.file { color: var(--file) }
p { margin: 0; padding: 1.2rem 1rem; color: var(--quiet) }
main h1 { margin: 0; padding: 1.2rem 1rem 0; font-size: 1.25rem }
footer { display: flex; justify-content: space-between; gap: 1rem; padding: .9rem 1rem; color: var(--quiet); font-size: .85rem }
@media (max-width: 40rem) {
  body { padding: 1rem .5rem }
  th, td { padding: .55rem .6rem }
  .modified { display: none }
}
`
