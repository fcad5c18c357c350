/** What a cell of the picture shows. Letters are the classes of the style sheet below. */
export const KINDS = {
  rewritten: { letter: 'r', words: 'rewritten' },
  added: { letter: 'a', words: 'newly written' },
  removed: { letter: 'd', words: 'freed' },
  kept: { letter: 'k', words: 'unchanged data' },
  empty: { letter: 'e', words: 'empty' },
} as const;

/** How much of a cell: the classes `o1` to `o4`, up to these shares. One block of a thousand must still be seen. */
export const LEVELS: readonly number[] = [1 / 16, 1 / 4, 5 / 8, 1];

/**
 * Blue and orange are told apart by all eyes; freed cells are hollow, as what was in them is gone. Plain classes: not
 * every program that draws SVG knows variables.
 */
export const DIFF_STYLE = `
text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1f2328; }
.title { font-size: 21px; font-weight: 600; }
.name { font-size: 16px; font-weight: 600; }
.size, .point { font-size: 13px; }
.amount { font-size: 14px; font-weight: 600; }
.small { font-size: 12px; }
.offset { font-size: 11px; text-anchor: end; }
.end { text-anchor: end; }
.muted { fill: #656d76; }
.paper { fill: #ffffff; }
.line { stroke: #d8dee4; }
.r { fill: #d9480f; }
.a { fill: #1971c2; }
.d { fill: none; stroke: #087f5b; stroke-width: 2.5; }
.k { fill: #a3acb5; }
.e { fill: #f1f3f5; }
.o1 { fill-opacity: .5; stroke-opacity: .6; }
.o2 { fill-opacity: .66; stroke-opacity: .75; }
.o3 { fill-opacity: .83; stroke-opacity: .88; }
.k.o1 { fill-opacity: .38; }
.k.o2 { fill-opacity: .5; }
.k.o3 { fill-opacity: .65; }
.k.o4 { fill-opacity: .8; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.muted { fill: #8d96a0; }
.paper { fill: #0d1117; }
.line { stroke: #30363d; }
.r { fill: #ff8a3d; }
.a { fill: #4dabf7; }
.d { stroke: #38d9a9; }
.k { fill: #7d8590; }
.e { fill: #181d24; }
.k.o1 { fill-opacity: .3; }
.k.o2 { fill-opacity: .38; }
.k.o3 { fill-opacity: .47; }
.k.o4 { fill-opacity: .56; }
}
`;
