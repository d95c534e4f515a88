"""How pages look: light and dark, wide and narrow, on screens and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
  --bar: #0b6e99; --page: #fff; --box: #eaeef2; --warn: #b35900 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3a424c; --bar: #4fb3d9; --page: #12161b;
    --box: #232a32; --warn: #f0a35e }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin-top: 2rem }
p.lead, p.note { color: var(--soft) } p.lead { margin-top: .25rem }
p.warning { border-left: 4px solid var(--warn); padding-left: .75rem }
p, li { overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
table.grid { table-layout: auto; font-size: .85rem }
caption { text-align: left; color: var(--soft) }
caption span { display: block; max-width: calc(100vw - 2rem) }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: anywhere }
th { font-weight: normal; color: var(--soft); width: 40% }
table.grid th { width: auto } table.grid thead th { overflow-wrap: normal }
table.grid tbody th { color: var(--ink); min-width: 7rem;
  position: sticky; left: 0; background: var(--page) }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.number, span.whole { white-space: nowrap }
table.grid td.number, table.grid th.number { padding-right: .5rem }
table.grid td.number:last-child, table.grid th.number:last-child { padding-right: 0 }
div.wide { overflow-x: auto }
details { margin: .75rem 0; border-top: 1px solid var(--line); padding-top: .5rem }
summary { cursor: pointer; overflow-wrap: anywhere }
summary:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px }
h2 ~ div.wide + div.wide, details div.wide { margin-top: 1rem }
div.wide:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .9rem }
svg { width: 100%; height: auto } svg rect { fill: var(--bar) }
svg text { fill: var(--soft); font-size: 11px } svg line { stroke: var(--line) }
svg line.threshold { stroke: var(--ink); stroke-dasharray: 4 3 }
svg line.unsure { stroke: var(--ink); stroke-dasharray: 1 3 }
ul.cards, ul.near { list-style: none; padding: 0; margin: 0 }
ul.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)) }
ul.cards > li { border: 1px solid var(--line); border-radius: 6px; padding: .75rem;
                font-size: .85rem; line-height: 1.4; min-width: 0 }
ul.cards p { margin: .4rem 0 0 } ul.cards p.name { color: var(--soft) }
ul.near { border-top: 1px solid var(--line); margin-top: .5rem }
ul.near > li { display: flex; gap: .6rem; margin-top: .5rem; min-width: 0 }
ul.near div { min-width: 0; overflow-wrap: anywhere }
ul.near small { font-size: inherit; color: var(--soft) }
ul.near img, ul.near span.none { flex: none; width: 64px; height: 64px }
ul.cards img { display: block; border-radius: 3px; background: var(--box) }
span.none { display: flex; align-items: center; justify-content: center; text-align: center;
            background: var(--box); color: var(--ink); border-radius: 3px; padding: .3rem;
            width: 128px; height: 128px; font-size: .75rem; line-height: 1.25; overflow: hidden }
img.figure { width: 100%; height: auto; background: #fff; border-radius: 3px }
@media (max-width: 30rem) { svg text { font-size: 20px } }
@media print { ul.cards > li { break-inside: avoid } }
"""
"""The one style sheet."""
