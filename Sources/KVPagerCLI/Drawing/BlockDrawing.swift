import KVInspection
import KVPager

/// One block as text: facts, the chain, the planes.
struct BlockDrawing {
  private static let nameCount = 6
  /// So many planes are told one by one, with their whole histograms.
  private static let singleCount = 3

  private let block: BlockDetail
  private let terminal: Terminal
  private let ink: Ink

  init(_ block: BlockDetail, terminal: Terminal = .output, ink: Ink = .output) {
    (self.block, self.terminal, self.ink) = (block, terminal, ink)
  }

  var text: String {
    let isWhole = block.planes.count == block.space.layout.planes.count
    var parts = [facts, chain]
    if !isWhole, block.planes.count <= Self.singleCount {
      parts += block.planes.map(single)
    } else {
      parts.append(planes)
    }
    if !block.findings.isEmpty {
      parts.append(block.findings.map { ink.bad("damaged") + ": \(Answer.printable($0))\n" }.joined())
    }
    return parts.joined(separator: "\n")
  }

  private var facts: String {
    let record = block.record
    var facts = FactList()
    facts.add("block", record.key.hash.description)
    facts.add("parent", record.parent == block.space.root ? "the root of its space" : record.parent.description)
    facts.add("space", "\(block.space.id), \(Answer.printable(block.space.fingerprint.model))")
    let full = block.space.layout.blockTokenCount
    let end = block.tokenOffset + record.tokens.count
    facts.add(
      "tokens",
      "\(record.tokens.count)\(record.tokens.count < full ? " of \(full)" : ""), "
        + "\(Decimal.grouped(block.tokenOffset)) to \(Decimal.grouped(end - 1)) of its prefix")
    facts.add("sessions", sessions)
    facts.add("last used", Timestamp(microseconds: record.lastUseMicroseconds).local)
    facts.add("rows", ByteSize(record.payloadByteCount).description)
    facts.add("frame", frame)
    facts.add("disk", "\(ByteSize(block.diskByteCount)) in \(Answer.count(block.frame.extents.count, "extent"))")
    if let extra = ExtraKeyText.text(record.encodedExtra) { facts.add("extra", Answer.printable(extra)) }
    let room = max(terminal.columnCount - 11, 40)
    let ellipsis = terminal.isUTF8 ? "…" : "..."
    facts.add("token ids", Self.list(record.tokens.map(\.description), columnCount: room, ellipsis: ellipsis))
    if let text = block.text {
      facts.add("text", Snippet.quoted(text, columnCount: 4 * room, ellipsis: ellipsis))
    } else if let text = block.sessionText {
      facts.add("session's", Snippet.quoted(text, columnCount: 4 * room, ellipsis: ellipsis))
    }
    return facts.text
  }

  private var sessions: String {
    let counted = Int(block.record.sessionCount)
    var text = Decimal.grouped(counted)
    if !block.sessions.isEmpty {
      text += ": " + block.sessions.prefix(Self.nameCount).map { Answer.printable($0) }.joined(separator: "; ")
      if counted > Self.nameCount { text += "; and \(Decimal.grouped(counted - Self.nameCount)) more" }
    }
    if block.sessionCount < counted { text += " (\(block.sessionCount) found)" }
    return text
  }

  private var frame: String {
    var text =
      "\(ByteSize(block.record.frame.byteCount)) (\(Self.ratio(block.record.payloadByteCount, block.record.frame.byteCount)))"
    text += ", number \(block.record.frame.id)"
    if let header = block.frame.header { text += ", header of \(header.headerByteCount) B" }
    return text
  }

  private var chain: String {
    var table = TextTable([
      ("CHAIN", .left), ("BLOCKS", .right), ("TOKENS", .right), ("SESSIONS", .right), ("FRAMES", .right),
    ])
    for run in block.chain {
      let name = run.last.shortDescription
      table.append([
        run.last == block.record.key.hash ? ink.strong(name) : ink.name(name), Decimal.grouped(run.blockCount),
        Decimal.grouped(run.tokenCount), Decimal.grouped(run.sessionCount), ByteSize(run.frameByteCount).description,
      ])
    }
    return table.text
  }

  private var planes: String {
    let planes = block.planes
    func column(_ title: String, _ count: (NumericSummary) -> Int) -> String? {
      planes.contains { $0.numbers.map { count($0) > 0 } ?? false } ? title : nil
    }
    let types = Set(planes.map { Self.type($0.layout) })
    let codecs = Set(planes.compactMap { $0.stored?.codecName })
    var heading = Answer.count(block.space.layout.planes.count, "plane")
    if types.count == 1 { heading += " of \(types.first ?? "")" }
    if codecs.count == 1 { heading += "; \(codecs.first ?? "")" }
    let extra = [column("ZEROS", \.zeroCount), column("NAN", \.nanCount), column("INF", \.infiniteCount)]
    var columns: [(title: String, alignment: TextTable.Alignment)] = [("PLANE", .left)]
    if types.count > 1 { columns.append(("TYPE", .left)) }
    if codecs.count > 1 { columns.append(("CODEC", .left)) }
    columns += [
      ("STORED", .right), ("RATIO", .right), ("MIN", .right), ("MEAN", .right), ("MAX", .right), ("SD", .right),
    ]
    columns += extra.compactMap { $0.map { ($0, .right) } } + [("HISTOGRAM", .left)]
    var table = TextTable(columns)
    let bars = Bars(isUTF8: terminal.isUTF8)
    for plane in planes {
      var cells = [plane.name]
      if types.count > 1 { cells.append(Self.type(plane.layout)) }
      if codecs.count > 1 { cells.append(plane.stored?.codecName ?? "") }
      cells.append(plane.stored.map { ByteSize($0.storedByteCount).description } ?? "")
      cells.append(plane.stored.map { Self.ratio($0.rawByteCount, $0.storedByteCount) } ?? "")
      let numbers = plane.numbers
      for value in [numbers?.minimum, numbers?.mean, numbers?.maximum, numbers?.standardDeviation] {
        cells.append(numbers?.finiteCount ?? 0 > 0 ? value.map(Decimal.significant) ?? "" : "")
      }
      for (title, count) in zip(extra, [numbers?.zeroCount, numbers?.nanCount, numbers?.infiniteCount])
      where title != nil {
        cells.append(count.map { Decimal.grouped($0) } ?? "")
      }
      cells.append(
        plane.failure.map { ink.bad("damaged") + ": \($0)" } ?? numbers.map { bars.line($0.histogram) } ?? "")
      table.append(cells)
    }
    return heading + "\n" + table.text
  }

  private func single(_ plane: BlockDetail.PlaneDetail) -> String {
    var facts = FactList()
    facts.add("plane", "\(plane.name), number \(plane.index)")
    facts.add("type", Self.type(plane.layout))
    if let stored = plane.stored {
      facts.add("codec", stored.codecName)
      facts.add(
        "rows",
        "\(ByteSize(stored.rawByteCount)), stored in \(ByteSize(stored.storedByteCount)) "
          + "(\(Self.ratio(stored.rawByteCount, stored.storedByteCount)))")
      let digits = String(stored.checksum, radix: 16)
      facts.add(
        "checksum",
        String(repeating: "0", count: 16 - digits.count) + digits + (plane.failure == nil ? ", holds" : ""))
    }
    if let failure = plane.failure { facts.add("damaged", ink.bad(failure)) }
    guard let numbers = plane.numbers else { return facts.text }
    facts.add(
      "values",
      "\(Decimal.grouped(numbers.valueCount)): \(Decimal.grouped(numbers.zeroCount)) zero, "
        + "\(Decimal.grouped(numbers.nanCount)) NaN, \(Decimal.grouped(numbers.infiniteCount)) infinite")
    guard numbers.finiteCount > 0 else { return facts.text }
    facts.add("min, max", "\(Decimal.significant(numbers.minimum)), \(Decimal.significant(numbers.maximum))")
    facts.add(
      "mean, SD", "\(Decimal.significant(numbers.mean)), \(Decimal.significant(numbers.standardDeviation))")
    for (place, line) in Bars(isUTF8: terminal.isUTF8).table(numbers).enumerated() {
      facts.add(place == 0 ? "from" : "", line)
    }
    return facts.text
  }

  private static func type(_ layout: PlaneLayout) -> String {
    let count = layout.rowByteCount / layout.elementType.unitByteCount * layout.elementType.unitValueCount
    return "\(layout.elementType.name), \(count) values a row"
  }

  private static func ratio(_ before: Int, _ after: Int) -> String {
    after > 0 ? Decimal.text(Double(before) / Double(after), digits: 2) + " x" : "-"
  }

  /// As many of the words as fit a line.
  private static func list(_ words: [String], columnCount: Int, ellipsis: String) -> String {
    var line = ""
    for word in words {
      guard line.count + word.count + 1 + ellipsis.count < columnCount else { return line + " " + ellipsis }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line
  }
}

extension BlockDetail.PlaneDetail {
  /// "3.keys", as `--plane` takes it.
  var name: String { "\(layout.plane.layer).\(layout.plane.kind)" }
}
