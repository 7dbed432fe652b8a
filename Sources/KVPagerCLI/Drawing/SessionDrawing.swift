import KVInspection
import KVPager

/// What `session` says to people.
struct SessionDrawing {
  let detail: SessionDetail
  let moment: Moment

  init(_ detail: SessionDetail, moment: Moment = Moment()) {
    self.detail = detail
    self.moment = moment
  }

  private var session: SessionFacts { detail.facts }

  var facts: String {
    var facts = FactList()
    facts.add("session", Answer.printable(session.name))
    let model = detail.space.map { " (\(Answer.printable($0.fingerprint.model)))" } ?? ""
    facts.add("space", session.space.description + model)
    facts.add("tokens", Decimal.grouped(session.tokenCount))
    var blocks = "\(Decimal.grouped(session.blockCount)), "
    blocks += "\(Decimal.grouped(session.sharedBlockCount)) shared with other sessions"
    if detail.tailTokenCount > 0 {
      blocks += ", \(Answer.count(detail.tailTokenCount, "token")) in the tail"
    }
    facts.add("blocks", blocks)
    if session.missingBlockCount > 0 {
      facts.add(
        "missing",
        Ink.output.bad("\(Answer.count(session.missingBlockCount, "block")) gone or damaged: it resumes up to there"))
    }
    facts.add(
      "logical",
      "\(ByteSize(session.logicalByteCount)) of keys and values, \(ByteSize(session.uniqueByteCount)) its own")
    facts.add("compressed", "\(ByteSize(session.compressedByteCount)), \(ByteSize(session.diskByteCount)) on disk")
    facts.add("deleting", "frees \(ByteSize(session.ownDiskByteCount)) on disk")
    if session.checkpointByteCount > 0 {
      facts.add(
        "checkpoint", "\(ByteSize(session.checkpointByteCount)) of engine state: it resumes whole or not at all")
    }
    if session.originByteCount > 0 {
      facts.add("origin", "\(ByteSize(session.originByteCount)) that the imported file had around its rows")
    }
    facts.add("created", time(session.createdMicroseconds))
    facts.add("updated", "\(time(session.updatedMicroseconds)), revision \(session.revision)")
    facts.add("last used", time(session.lastUseMicroseconds))
    facts.add("expires", session.expiryText)
    for (name, value) in session.metadata.inNameOrder {
      facts.add("  \(Answer.printable(name))", Answer.printable(value))
    }
    return facts.text
  }

  private func time(_ microseconds: UInt64) -> String {
    "\(Timestamp(microseconds: microseconds).local), \(moment.past(microseconds))"
  }

  /// The beginning of what the session says, a few lines of it.
  static func words(_ text: String) -> String {
    let terminal = Terminal.output
    let room = wordLineCount * terminal.columnCount
    let words = Snippet.quoted(text, columnCount: room, ellipsis: terminal.isUTF8 ? "…" : "...")
    return "\nTEXT\n" + Snippet.lines(words, columnCount: terminal.columnCount).joined(separator: "\n") + "\n"
  }

  private static let wordLineCount = 8

  /// Those that share most.
  var sharing: String {
    guard !detail.sharing.isEmpty else { return "" }
    var table = TextTable([("SHARES WITH", .left), ("TOKENS", .right), ("BLOCKS", .right)])
    for other in detail.sharing {
      table.append([
        Answer.printable(other.name), Decimal.grouped(other.tokenCount), Decimal.grouped(other.blockCount),
      ])
    }
    let rest = detail.sharingCount - detail.sharing.count
    return "\n" + table.text + (rest > 0 ? "and \(Decimal.grouped(rest)) more\n" : "")
  }

  var runs: String {
    var table = Self.table(numbers: "BLOCKS")
    for run in SessionBlockRun.runs(of: detail.blocks) {
      let last = run.blocks.upperBound - 1
      table.append([
        run.blocks.count == 1 ? String(last) : "\(run.blocks.lowerBound)-\(last)",
        Self.tokens(run.tokenOffset, run.tokenCount), run.hash.shortDescription,
        run.isStored ? Decimal.grouped(run.sessionCount) : "gone", ByteSize(run.payloadByteCount).description,
        ByteSize(run.frameByteCount).description, run.isStored ? moment.past(run.lastUseMicroseconds) : "-",
      ])
    }
    return detail.blocks.isEmpty ? "" : "\n" + table.text
  }

  var blocks: String {
    var table = Self.table(numbers: "BLOCK")
    for (index, block) in detail.blocks.enumerated() {
      table.append([
        String(index), Self.tokens(block.tokenOffset, block.tokenCount), block.hash.shortDescription,
        block.isStored ? Decimal.grouped(block.sessionCount) : "gone", ByteSize(block.payloadByteCount).description,
        ByteSize(block.frameByteCount).description, block.isStored ? moment.past(block.lastUseMicroseconds) : "-",
      ])
    }
    return detail.blocks.isEmpty ? "" : "\n" + table.text
  }

  /// Ten a line, each line with the place of its first.
  var tokens: String {
    let width = max(1, detail.tokens.map { String($0).count }.max() ?? 1)
    let numberWidth = String(max(0, detail.tokens.count - 1)).count
    let perLine = max(1, min(16, (78 - numberWidth) / (width + 1)))
    var text = "\n"
    for start in stride(from: 0, to: detail.tokens.count, by: perLine) {
      let ids = detail.tokens[start..<min(start + perLine, detail.tokens.count)]
      text += StatisticsDrawing.leading(String(start), numberWidth) + " "
      text += ids.map { " " + StatisticsDrawing.leading(String($0), width) }.joined() + "\n"
    }
    return text
  }

  private static func table(numbers: String) -> TextTable {
    TextTable([
      (numbers, .right), ("TOKENS", .right), ("HASH", .left), ("SESSIONS", .right), ("SIZE", .right),
      ("STORED", .right), ("LAST USED", .right),
    ])
  }

  private static func tokens(_ offset: Int, _ count: Int) -> String {
    count <= 1 ? String(offset) : "\(offset)-\(offset + count - 1)"
  }
}
