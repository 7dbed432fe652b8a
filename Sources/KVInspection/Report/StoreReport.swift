import KVBlocks

/// A store's report as a page.
package enum StoreReport {
  package static func page(_ facts: ReportFacts) -> String {
    let health = ReportHealth(facts)
    var sections = [HealthSection.section(health)]
    if let statistics = facts.statistics, let contents = facts.contents {
      sections += [
        BytesSection.section(statistics, contents.file),
        TreeSection.section(contents.tree, facts.options),
        SharingSection.section(contents.sharing),
        CompressionSection.section(contents.planes, facts.info.contents?.spaces ?? []),
        UseSection.section(contents.use, now: facts.nowMicroseconds),
        SessionsSection.section(contents.sessions, now: facts.nowMicroseconds),
        SpacesSection.section(facts.info.contents?.spaces ?? []),
      ]
    }
    var frame = PageFrame(
      title: "\(name(facts)) – kvpager store", masthead: masthead(facts, health), sections: sections,
      footer: footer(facts))
    frame.styles.append(ChartStyle.text)
    frame.scripts.append(IcicleScript.text)
    return frame.text
  }

  /// The last part of the path: what people call the store.
  private static func name(_ facts: ReportFacts) -> String {
    StoreText.visible(facts.path.split(separator: "/").last.map(String.init) ?? facts.path)
  }

  private static func masthead(_ facts: ReportFacts, _ health: ReportHealth) -> HTML {
    var identity: [HTML] = ["<div><dt>Path</dt><dd>\(StoreText.html(facts.path, limit: 400))</dd></div>"]
    if let contents = facts.info.contents {
      identity += [
        "<div><dt>Format</dt><dd>version \(contents.formatVersion)</dd></div>",
        "<div><dt>Created</dt><dd>\(Moments.html(contents.createdMicroseconds))</dd></div>",
        "<div><dt>Id</dt><dd><code>\(contents.storeID)</code></dd></div>",
      ]
    }
    identity.append(
      "<div><dt>Report</dt><dd>\(Moments.html(facts.nowMicroseconds)), kvpager \(facts.options.programVersion)</dd></div>"
    )
    return """
      <p class="kind">kvpager store report</p>
      <h1>\(name(facts))</h1>
      <dl class="identity">\(identity)</dl>
      \(facts.statistics.map { tiles($0, health) })
      """
  }

  private static func tiles(_ statistics: StoreStatistics, _ health: ReportHealth) -> HTML {
    func tile(_ title: HTML, _ figure: HTML, _ note: HTML) -> HTML {
      "<div><dt>\(title)</dt><dd>\(figure)<small>\(note)</small></dd></div>\n"
    }
    let word: HTML =
      switch health.worst {
      case .good: "<span class=\"good\">Sound</span>"
      case .caution: "<span class=\"caution\">Sound</span>"
      case .bad: "<span class=\"bad\">Damaged</span>"
      }
    let cares = health.items.count { $0.level != .good }
    let (logical, disk) = (statistics.logicalByteCount, statistics.diskByteCount)
    return """
      <dl class="tiles">
      \(tile("Health", word, cares == 0 ? "nothing to look after" : "\(Figures.count(cares, "thing")) to look after"))\
      \(tile("Sessions", Figures.html(statistics.sessionCount, Figures.count(statistics.sessionCount), named: "sessions"), "in the store"))\
      \(tile("Blocks", Figures.html(statistics.uniqueBlockCount, Figures.count(statistics.uniqueBlockCount), named: "blocks.unique"), "held \(Figures.html(statistics.blockReferenceCount, Figures.count(statistics.blockReferenceCount), named: "blocks.references")) times"))\
      \(tile("Keys and values", "\(Figures.bytes(logical))", "as sessions see them"))\
      \(tile("On disk", "\(Figures.bytes(disk))", disk < logical ? "\(Figures.factor(logical, disk)) smaller" : "\(Figures.factor(disk, logical)) larger"))\
      </dl>
      """
  }

  private static func footer(_ facts: ReportFacts) -> HTML {
    """
    <h2>Words</h2>
    <dl>
    <dt>block</dt><dd>keys and values of a fixed number of tokens, all layers; addressed by the tokens it was computed \
    from, so equal prefixes are stored once</dd>
    <dt>rows, frame</dt><dd>a block’s bytes as the engine knows them, and as they are stored: filtered, compressed, \
    with their checksums</dd>
    <dt>session</dt><dd>a sequence of tokens with a name; what its blocks hold is never deleted by the quota</dd>
    <dt>cache space</dt><dd>everything computed under one model, layout and salt</dd>
    </dl>
    <p class="below">Made by <code>kvpager report</code> from one pass through the store, which may have been in use \
    meanwhile. Times are UTC; KiB, MiB and GiB are powers of 1,024. This page loads nothing from anywhere.</p>
    """
  }
}
