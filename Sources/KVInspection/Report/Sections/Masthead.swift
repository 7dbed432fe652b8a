import KVDiskTier

/// The head of a store's page: what store this is, and its six most wanted figures.
enum Masthead {
  static func html(_ facts: ReportFacts, _ health: ReportHealth) -> HTML {
    var identity = [fact("Path", StoreText.html(facts.path, limit: 400))]
    if let contents = facts.info.contents {
      identity += [
        fact("Format", "version \(contents.formatVersion)"),
        fact("Created", Moments.html(contents.createdMicroseconds)),
        fact("Id", "<code>\(contents.storeID)</code>"),
      ]
    }
    identity.append(fact("Report", "\(Moments.html(facts.nowMicroseconds)), kvpager \(facts.options.programVersion)"))
    return """
      <p class="kind">kvpager store report</p>
      <h1>\(name(facts))</h1>
      <dl class="identity">\(identity)</dl>
      <dl class="tiles">
      \(tiles(facts, health))</dl>
      """
  }

  /// The last part of the path: what people call the store.
  static func name(_ facts: ReportFacts) -> String {
    StoreText.visible(facts.path.split(separator: "/").last.map(String.init) ?? facts.path)
  }

  private static func fact(_ name: HTML, _ value: HTML) -> HTML { "<div><dt>\(name)</dt><dd>\(value)</dd></div>" }

  private static func tile(_ title: HTML, _ figure: HTML, _ note: HTML) -> HTML {
    "<div><dt>\(title)</dt><dd>\(figure)<small>\(note)</small></dd></div>\n"
  }

  private static func tiles(_ facts: ReportFacts, _ health: ReportHealth) -> [HTML] {
    guard let statistics = facts.statistics, let contents = facts.contents else {
      return [healthTile(health)] + damagedTiles(facts)
    }
    func count(_ value: Int, _ name: String) -> HTML { Figures.html(value, Figures.count(value), named: name) }
    let (logical, disk) = (statistics.logicalByteCount, statistics.diskByteCount)
    let tokenCount = contents.tree.amount.tokenCount
    return [
      healthTile(health),
      tile("Sessions", count(statistics.sessionCount, "sessions"), "in the store"),
      tile(
        "Blocks", count(statistics.uniqueBlockCount, "blocks.unique"),
        "held \(count(statistics.blockReferenceCount, "blocks.references")) times"),
      tile("Tokens", Figures.html(count: tokenCount), "in stored blocks"),
      tile("Keys and values", Figures.html(bytes: logical), "as sessions see them"),
      tile(
        "On disk", Figures.html(bytes: disk),
        disk < logical ? "\(Figures.factor(logical, disk)) smaller" : "\(Figures.factor(disk, logical)) larger"),
    ]
  }

  private static func healthTile(_ health: ReportHealth) -> HTML {
    let cares = health.items.count { $0.level != .good }
    let note: HTML = cares == 0 ? "nothing to look after" : "\(Figures.count(cares, "thing")) to look after"
    return switch health.worst {
    case .good: tile("Health", "<span class=\"good\">Sound</span>", note)
    case .caution: tile("Health", "<span class=\"caution\">Sound</span>", note)
    case .bad: tile("Health", "<span class=\"bad\">Damaged</span>", note)
    }
  }

  private static func damagedTiles(_ facts: ReportFacts) -> [HTML] {
    guard let raw = facts.verify.salvageable else { return [] }
    return [
      tile("The file", Figures.html(bytes: Int(clamping: raw.fileByteCount)), "as it lies on disk"),
      tile("Whole blocks", Figures.html(count: raw.blocks.wholeCount), "found in its raw bytes"),
      tile("Damaged blocks", Figures.html(count: raw.blocks.damagedCount), "with a checksum that fails"),
      tile("Whole sessions", Figures.html(count: raw.wholeSessionCount), "can be brought back"),
      tile("Partial sessions", Figures.html(count: raw.sessions.count - raw.wholeSessionCount), "lack a block or more"),
    ]
  }
}
