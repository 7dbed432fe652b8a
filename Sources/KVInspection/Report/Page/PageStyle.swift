/// The pages' style: colours by meaning in light and dark, type, layout, tables and print. All text meets a contrast of
/// 4.5 on what it stands on, all marks 3.
package enum PageStyle {
  package static let text = colors + layout + tables + print

  private static let colors = """
    :root {
      color-scheme: light dark;
      --ground: light-dark(#f4f6f8, #0f1419);
      --card: light-dark(#ffffff, #171e26);
      --sunken: light-dark(#eef1f5, #10161d);
      --ink: light-dark(#17212b, #e7ecf1);
      --quiet: light-dark(#52606d, #a2afbc);
      --line: light-dark(#d8dee5, #2c3742);
      --accent: light-dark(#0a58a8, #77b7f7);
      --good: light-dark(#156d41, #5fcb93);
      --caution: light-dark(#855300, #ecb755);
      --bad: light-dark(#b0281f, #ff8d84);
      --t1: light-dark(#1f6fb5, #4c9be0);
      --t2: light-dark(#d98a00, #e3a538);
      --t3: light-dark(#12866a, #38b592);
      --t4: light-dark(#a9558c, #d38bba);
      --t5: light-dark(#5b6b7a, #8595a5);
      --t6: light-dark(#8fa1b3, #5d7083);
      --s0: light-dark(#eaf1f8, #1d2b39);
      --s1: light-dark(#d5e4f2, #21384e);
      --s2: light-dark(#bcd5eb, #264763);
      --s3: light-dark(#9dc2e2, #2d5880);
      --s4: light-dark(#7aacd6, #376c9d);
      --s5: light-dark(#4f86bd, #5f95c8);
      --s6: light-dark(#2c6ba9, #82b0dc);
      --s7: light-dark(#174f8b, #a8cbec);
      --s8: light-dark(#0a356a, #d2e5f8);
      --on-pale: light-dark(#17212b, #e7ecf1);
      --on-strong: light-dark(#ffffff, #0b1218);
    }
    :root[data-theme="light"] { color-scheme: light; }
    :root[data-theme="dark"] { color-scheme: dark; }
    """

  private static let layout = """

    * { box-sizing: border-box; }
    html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
      font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; scroll-padding-top: 3.5rem; }
    body { margin: 0; position: relative; background: var(--ground); color: var(--ink); overflow-wrap: anywhere; }
    .wide { width: 100%; max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
    a { color: var(--accent); }
    code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .875em;
      background: var(--sunken); border-radius: 3px; padding: .1em .3em; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    main:focus { outline: none; }
    .skip { position: absolute; left: -99rem; }
    .skip:focus { left: 1rem; top: 1rem; z-index: 9; background: var(--card); padding: .5rem 1rem; }
    .patterns { position: absolute; }
    .scripted { display: none !important; }
    .scripts .scripted { display: revert !important; }
    h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
    ul, ol { list-style: none; }
    .masthead { padding: 2.25rem 0 1.75rem; background: var(--card); }
    .masthead .kind { color: var(--quiet); font-size: .875rem; letter-spacing: .02em; }
    h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; margin: .15rem 0 .75rem; }
    .identity { display: flex; flex-wrap: wrap; gap: .25rem 2rem; font-size: .875rem; }
    .identity div { display: flex; gap: .5rem; min-width: 0; }
    .identity dt { color: var(--quiet); }
    .contents { position: sticky; top: 0; z-index: 5; background: var(--card); border-bottom: 1px solid var(--line); }
    .contents .wide { display: flex; align-items: center; gap: 1rem; }
    .contents ul { display: flex; flex-wrap: wrap; gap: 0 1.25rem; flex: 1; font-size: .875rem; }
    .contents a { display: block; padding: .6rem 0; color: var(--quiet); text-decoration: none; }
    .contents a:hover { color: var(--accent); text-decoration: underline; }
    button { font: inherit; font-size: .8125rem; color: var(--ink); background: var(--card); cursor: pointer;
      border: 1px solid var(--line); border-radius: 6px; padding: .2rem .6rem; min-height: 1.75rem; }
    button:hover { border-color: var(--accent); color: var(--accent); }
    .theme { white-space: nowrap; }
    main { padding-top: 1.5rem !important; }
    section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
      padding: 1.5rem 1.5rem 1.25rem; margin: 0 0 1.5rem; }
    h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 650; }
    h3 { font-size: 1rem; line-height: 1.4; font-weight: 600; }
    .lead { max-width: 46rem; margin: .25rem 0 1.25rem; color: var(--ink); }
    .note { color: var(--quiet); font-size: .875rem; max-width: 46rem; }
    .nothing { color: var(--quiet); padding: .75rem 0; max-width: 46rem; }
    figure { margin: 0 0 1.5rem; min-width: 0; }
    section > figure:last-child, section > .row:last-child > figure { margin-bottom: .25rem; }
    figcaption { margin: 0 0 .75rem; }
    .row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2.5rem; }
    .row.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 0 2rem; }
    .tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 1px; margin-top: 1.5rem;
      background: var(--line); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
    .tiles div { background: var(--card); padding: .75rem 1rem .7rem; display: flex; flex-direction: column; }
    .tiles dt { color: var(--quiet); font-size: .8125rem; }
    .tiles dd { font-size: 1.375rem; line-height: 1.3; font-weight: 600; letter-spacing: -.01em; }
    .tiles dd small { display: block; font-size: .8125rem; font-weight: 400; color: var(--quiet); letter-spacing: 0; }
    .findings li { display: grid; grid-template-columns: 1.5rem 1fr; gap: 0 .6rem; padding: .6rem 0;
      border-top: 1px solid var(--line); }
    .findings li:first-child { border-top: 0; }
    .findings .mark { width: 1.375rem; height: 1.375rem; margin-top: .1rem; }
    .findings .word { font-weight: 600; }
    .findings p { color: var(--quiet); font-size: .9375rem; }
    .good { color: var(--good); } .caution { color: var(--caution); } .bad { color: var(--bad); }
    footer { color: var(--quiet); font-size: .875rem; padding-bottom: 3rem !important; }
    footer h2 { font-size: 1rem; color: var(--ink); margin: 0 0 .5rem; }
    footer dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; max-width: 60rem; }
    footer dt { color: var(--ink); font-weight: 600; }
    @media (max-width: 64rem) { .tiles { grid-template-columns: repeat(3, 1fr); } }
    @media (max-width: 44rem) {
      .wide { padding: 0 1rem; }
      .masthead { padding: 1.25rem 0; }
      h1 { font-size: 1.375rem; }
      .contents { position: static; }
      .theme { position: absolute; top: 1rem; right: 1rem; }
      .masthead h1 { padding-right: 1rem; }
      .masthead .kind { padding-right: 9rem; }
      .contents a { padding: .35rem 0; }
      .identity { gap: .1rem 1.5rem; }
      section { margin: 0 -1rem 1rem; border-radius: 0; border-left: 0; border-right: 0; padding: 1.25rem 1rem 1rem; }
      .tiles { grid-template-columns: 1fr 1fr; }
      footer dl { grid-template-columns: 1fr; gap: 0; }
      footer dd { margin-bottom: .5rem; }
    }
    """

  private static let tables = """

    .scroll { overflow-x: auto; max-width: 100%; position: relative; }
    table { border-collapse: collapse; font-size: .875rem; width: 100%; }
    caption { text-align: left; color: var(--quiet); padding: 0 0 .5rem; }
    th, td { text-align: left; padding: .35rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top;
      overflow-wrap: normal; }
    th:first-child, td:first-child { padding-left: .25rem; }
    th:last-child, td:last-child { padding-right: .25rem; }
    tbody th { font-weight: 500; min-width: 9rem; max-width: 26rem; overflow-wrap: anywhere; }
    thead th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--quiet); vertical-align: bottom; }
    tfoot th, tfoot td { font-weight: 600; border-bottom: 0; border-top: 1px solid var(--quiet); }
    .n { text-align: right; white-space: nowrap; }
    tbody th.n { min-width: 0; }
    tbody tr:hover > * { background: var(--sunken); }
    thead button { border: 0; padding: 0; min-height: 0; background: none; color: inherit; font-size: inherit;
      font-weight: 500; text-align: inherit; }
    thead button:hover { text-decoration: underline; }
    .scripts th[aria-sort] button::after { content: "\\2195"; opacity: .45; margin-left: .3em; }
    .scripts th[aria-sort="ascending"] button::after { content: "\\2191"; opacity: 1; }
    .scripts th[aria-sort="descending"] button::after { content: "\\2193"; opacity: 1; }
    details.table { margin-top: .75rem; }
    summary { cursor: pointer; color: var(--accent); font-size: .875rem; width: fit-content; padding: .15rem 0; }
    details[open] > summary { margin-bottom: .5rem; }
    .below { margin-top: .6rem; }
    td small.title, th small.title { display: block; color: var(--quiet); font-weight: 400; font-size: .8125rem; }
    """

  private static let print = """

    @media print {
      :root, :root[data-theme] { color-scheme: light !important; }
      * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
      html { font-size: 12px; }
      body { background: #fff; }
      .contents, .skip, .scripted, .scripts .scripted { display: none !important; }
      section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 1rem 0; margin: 0; }
      .wide { max-width: none; padding: 0; }
      .masthead { padding: 0 0 1rem; }
      h2, h3, figcaption, thead, tr, .bars li, .keys li, .findings li { break-inside: avoid; }
      h2, h3, figcaption { break-after: avoid; }
      .scroll { overflow: visible; }
      th, td { padding: .2rem .4rem; }
      details.table::details-content { content-visibility: visible; display: block; height: auto; }
      summary { color: var(--quiet); list-style: none; }
      thead button { color: inherit; }
    }

    """
}
