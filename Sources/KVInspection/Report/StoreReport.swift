import KVBlocks

/// A store's report as a page.
package enum StoreReport {
  /// The page of a store of any size stays small: whatever grows with it is limited by ``ReportOptions``.
  package static func page(_ facts: ReportFacts) -> String {
    let health = ReportHealth(facts)
    let now = facts.nowMicroseconds
    var sections = [HealthSection.section(health)]
    if let statistics = facts.statistics, let contents = facts.contents {
      let spaces = facts.info.contents?.spaces ?? []
      sections += [
        BytesSection.section(statistics, contents.file), TreeSection.section(contents.tree, facts.options),
        SharingSection.section(contents.sharing), CompressionSection.section(contents.planes, spaces),
        UseSection.section(contents.use, now: now), SessionsSection.section(contents.sessions, now: now),
        SpacesSection.section(spaces),
      ]
    }
    var frame = PageFrame(
      title: "\(Masthead.name(facts)) – kvpager store", masthead: Masthead.html(facts, health), sections: sections,
      footer: footer)
    frame.styles.append(ChartStyle.text)
    frame.scripts.append(IcicleScript.text)
    return frame.text
  }

  private static let footer: HTML = """
    <h2>Words</h2>
    <dl>
    <dt>block</dt><dd>keys and values of a fixed number of tokens, all layers; addressed by the tokens it was computed \
    from, so equal prefixes are stored once</dd>
    <dt>rows, frame</dt><dd>a block’s bytes as the engine knows them, and as they are stored: filtered, compressed, \
    with their checksums</dd>
    <dt>session</dt><dd>a sequence of tokens with a name; what its blocks hold is never deleted by the quota</dd>
    <dt>cache space</dt><dd>everything computed under one model, layout and salt</dd>
    </dl>
    <p class="below">Made by <code>kvpager report</code>, which reads the store beside those who use it. Times are \
    UTC; KiB, MiB and GiB are powers of 1,024. This page loads nothing from anywhere.</p>
    """
}
