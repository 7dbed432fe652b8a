/// How the drawings look. Colours come from the page's names for them, so that each theme has its own.
package enum ChartStyle {
  package static let text = fills + bars + grids + icicle

  private static let fills = """

    svg { display: block; }
    .t1 { fill: var(--t1); } .t2 { fill: var(--t2); } .t3 { fill: var(--t3); } .t4 { fill: var(--t4); }
    .t5 { fill: var(--t5); } .t6 { fill: var(--t6); }
    .s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); }
    .s4 { fill: var(--s4); } .s5 { fill: var(--s5); } .s6 { fill: var(--s6); } .s7 { fill: var(--s7); }
    .s8 { fill: var(--s8); }
    .plain { fill: var(--line); }
    .self { fill: var(--line); }
    .hatched, .saved { fill: url(#hatch); }
    .dotted { fill: url(#dots); }
    .added { fill: var(--t2); }
    .hollow { fill: var(--sunken); stroke: var(--t6); stroke-width: 1; }
    .hatch-ground { fill: var(--sunken); } .hatch-line { fill: var(--t6); }
    """

  private static let bars = """

    .bars { display: grid; grid-template-columns: minmax(8rem, max-content) minmax(6rem, 1fr) max-content;
      gap: .6rem 1.25rem; }
    .bars.compact { grid-template-columns: minmax(6rem, max-content) minmax(4rem, 1fr) max-content max-content;
      gap: .3rem 1rem; }
    .bars li { display: grid; grid-template-columns: subgrid; grid-column: 1 / -1; align-items: center; }
    .bars:not(.compact) li { grid-template-rows: auto auto; row-gap: 0; }
    .bar-name { font-size: .9375rem; line-height: 1.35; }
    .bar { background: var(--sunken); border-radius: 3px; overflow: hidden; grid-column: 2; grid-row: 1 / 3; }
    .bar-figure { font-weight: 600; font-size: .9375rem; line-height: 1.35; white-space: nowrap; grid-column: 3; }
    .bar-more { display: contents; font-size: .8125rem; }
    .bar-detail, .bar-note { color: var(--quiet); font-size: .8125rem; line-height: 1.4; }
    .bar-detail { grid-column: 1; grid-row: 2; }
    .bar-note { grid-column: 3; grid-row: 2; }
    .compact .bar-detail { display: none; }
    .compact .bar-figure { text-align: right; }
    .compact .bar-note { grid-column: 4; grid-row: 1; text-align: right; }
    .none { font-weight: 400; color: var(--quiet); }
    .stack { border-radius: 4px; overflow: hidden; margin-bottom: .75rem; }
    .stack rect, .matrix rect { stroke: var(--card); stroke-width: 1; }
    .keys { columns: 2 24rem; column-gap: 3rem; font-size: .9375rem; }
    .keys li { display: grid; grid-template-columns: 14px 1fr max-content 4rem; gap: 0 .75rem; align-items: baseline;
      break-inside: avoid; padding: .2rem 0; }
    .swatch { align-self: start; margin-top: .3rem; border-radius: 2px; }
    .key-note { display: block; color: var(--quiet); font-size: .8125rem; }
    .key-figure { text-align: right; font-weight: 600; white-space: nowrap; }
    .key-share { text-align: right; color: var(--quiet); white-space: nowrap; }
    .legend { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .6rem; color: var(--quiet);
      font-size: .8125rem; margin: .6rem 0 0; }
    .legend svg { border-radius: 2px; outline: 1px solid var(--line); }
    @media (max-width: 44rem) {
      .bars { grid-template-columns: 1fr max-content; gap: .8rem .75rem; }
      .bars:not(.compact) li { grid-template-rows: auto auto auto; row-gap: .15rem; }
      .bar { grid-column: 1 / -1; grid-row: 2; }
      .bar-figure { grid-column: 2; text-align: right; }
      .bar-more { display: block; grid-column: 1 / -1; grid-row: 3; }
      .bars.compact { grid-template-columns: 1fr max-content max-content; gap: .5rem .75rem; }
      .compact .bar-more { display: contents; }
      .bars:not(.compact) .bar-note:not(:empty)::before { content: "\\2013\\a0"; }
      .compact .bar-note { grid-column: 3; }
      .keys li { grid-template-columns: 14px 1fr max-content 3.25rem; gap: 0 .5rem; }
    }
    """

  private static let grids = """

    .heat { border-collapse: separate; border-spacing: 2px; }
    .heat th, .heat td { border: 0; padding: .2rem .5rem; }
    .heat thead th { text-align: center; }
    .heat tbody th { text-align: right; color: var(--quiet); font-weight: 400; min-width: 0; width: 1%;
      white-space: nowrap; }
    .heat td { text-align: center; border-radius: 3px; white-space: nowrap; }
    .heat td small { display: inline-block; min-width: 4.6em; opacity: .95; font-size: .75rem; text-align: right; }
    .heat tbody tr:hover > * { background-image: none; }
    td.s0, td.s1, td.s2, td.s3, td.s4 { color: var(--on-pale); }
    td.s5, td.s6, td.s7, td.s8 { color: var(--on-strong); }
    tbody tr > td.s0, tbody tr:hover > td.s0 { background: var(--s0); }
    tbody tr > td.s1, tbody tr:hover > td.s1 { background: var(--s1); }
    tbody tr > td.s2, tbody tr:hover > td.s2 { background: var(--s2); }
    tbody tr > td.s3, tbody tr:hover > td.s3 { background: var(--s3); }
    tbody tr > td.s4, tbody tr:hover > td.s4 { background: var(--s4); }
    tbody tr > td.s5, tbody tr:hover > td.s5 { background: var(--s5); }
    tbody tr > td.s6, tbody tr:hover > td.s6 { background: var(--s6); }
    tbody tr > td.s7, tbody tr:hover > td.s7 { background: var(--s7); }
    tbody tr > td.s8, tbody tr:hover > td.s8 { background: var(--s8); }
    .matrix { display: grid; grid-template-columns: minmax(7rem, 15rem) minmax(0, 1fr); gap: 0 .75rem;
      font-size: .8125rem; }
    .matrix ol { padding-top: 20px; }
    .matrix li { height: 24px; line-height: 24px; display: flex; gap: .5rem; }
    .matrix li bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .matrix li span { color: var(--quiet); min-width: 1.25rem; text-align: right; }
    .matrix svg { overflow: visible; max-width: 100%; }
    .matrix text { fill: var(--quiet); font-size: 11px; text-anchor: middle; }
    .matrix text.s0, .matrix text.s1, .matrix text.s2, .matrix text.s3, .matrix text.s4 { fill: var(--on-pale); }
    .matrix text.s5, .matrix text.s6, .matrix text.s7, .matrix text.s8 { fill: var(--on-strong); }
    .matrix .ground { fill: var(--sunken); stroke: none; }
    .matrix text.self { fill: var(--ink); }
    @media (max-width: 44rem) {
      .matrix { grid-template-columns: 8rem minmax(0, 1fr); gap: 0 .5rem; }
      .matrix.many .column, .matrix .inside { display: none; }
    }
    """

  private static let icicle = """

    .icicle { position: relative; }
    .icicle > svg { outline: 1px solid var(--line); border-radius: 3px; overflow: hidden; }
    .node { cursor: pointer; }
    .node rect { stroke: var(--card); stroke-width: 1; }
    .node text { font: 12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
      fill: var(--on-pale); pointer-events: none; }
    .hatched ~ text { paint-order: stroke; stroke: var(--sunken); stroke-width: 4px; stroke-linejoin: round; }
    .node.strong text { fill: var(--on-strong); }
    .node:hover rect { stroke: var(--ink); }
    .node:focus { outline: none; }
    .node:focus rect { stroke: var(--ink); stroke-width: 4; }
    .node:focus-visible rect { stroke: var(--accent); stroke-width: 5; }
    .trail { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .4rem; margin-bottom: .5rem;
      min-height: 1.9rem; }
    .scripts .trail.scripted { display: flex !important; }
    .trail li { display: flex; gap: .4rem; align-items: center; font-size: .8125rem; }
    .trail li + li::before { content: "\\203a"; color: var(--quiet); }
    .trail [aria-current] { font-weight: 600; }
    .readout { background: var(--sunken); border-radius: 4px; padding: .5rem .75rem; margin-top: .5rem;
      font-size: .875rem; min-height: 4.1rem; white-space: pre-line; }
    .keyboard { margin-top: .4rem; }
    kbd { font: inherit; font-size: .75rem; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 4px;
      padding: 0 .3rem; }
    @media print { .readout, .keyboard { display: none !important; } }

    """
}
