import KVBlocks

/// The sessions that take most.
enum SessionsSection {
  static func section(_ ranking: SessionRanking, now: UInt64) -> PageFrame.Section {
    guard ranking.sessionCount > 0 else {
      return PageFrame.Section("sessions", "Sessions", body: Figure.nothing("The store holds no session yet."))
    }
    let lead: HTML =
      ranking.rest.sessionCount > 0
      ? """
      The \(Figures.count(ranking.top.count)) of \(Figures.count(ranking.sessionCount)) sessions with the most bytes \
      of their own; the rest is summed up in the last line.
      """ : "All \(Figures.count(ranking.sessionCount, "session")), those with the most bytes of their own first."
    return PageFrame.Section("sessions", "Sessions", lead: lead, body: table(ranking, now: now).html)
  }

  private static func table(_ ranking: SessionRanking, now: UInt64) -> DataTable {
    var table = DataTable(
      "Sessions; own: rows that no other session holds",
      [
        .text("Name"), .number("Space"), .number("Tokens"), .number("Blocks"), .number("Rows"), .number("Own"),
        .number("Shared"), .text("Updated"), .text("Expires"),
      ], isSortable: true)
    for session in ranking.top {
      let (all, own) = (session.logicalByteCount, session.uniqueByteCount)
      table.append([
        name(session), Figures.html(Int(session.space.rawValue), session.space.description),
        Figures.html(count: session.tokenCount), Figures.html(count: session.blockCount), Figures.html(bytes: all),
        Figures.html(bytes: own), shared(all - own, of: all), Moments.html(session.updatedMicroseconds),
        expiry(session.expiresMicroseconds, now: now),
      ])
    }
    let rest = ranking.rest
    if rest.sessionCount > 0 {
      let (all, own) = (rest.logicalByteCount, rest.uniqueByteCount)
      table.setTotal([
        "\(Figures.count(rest.sessionCount)) more sessions", "", Figures.html(count: rest.tokenCount),
        Figures.html(count: rest.blockCount), Figures.html(bytes: all), Figures.html(bytes: own),
        shared(all - own, of: all), "", "",
      ])
    }
    return table
  }

  private static func name(_ session: SessionFacts) -> HTML {
    let title = session.metadata["title"].map { "<small class=\"title\">\(StoreText.html($0))</small>" as HTML }
    let missing: HTML? =
      session.missingBlockCount > 0
      ? "<small class=\"title bad\">lacks \(Figures.count(session.missingBlockCount, "block"))</small>" : nil
    return "\(StoreText.html(session.name))\(title)\(missing)"
  }

  private static func shared(_ part: Int, of all: Int) -> HTML {
    Figures.html(all > 0 ? Int(Double(part) / Double(all) * 1000) : 0, Figures.share(part, of: all))
  }

  private static func expiry(_ moment: UInt64?, now: UInt64) -> HTML {
    guard let moment else { return "never" }
    return moment <= now
      ? "<time datetime=\"\(Moments.iso8601(moment))\">at the next gc</time>"
      : "<time datetime=\"\(Moments.iso8601(moment))\">\(Moments.relative(moment, to: now))</time>"
  }
}
