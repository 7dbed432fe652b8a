import KVInspection
import KVPager

/// What `info` says to people.
struct InfoDrawing {
  let info: StoreInfo
  let moment: Moment

  init(_ info: StoreInfo, _ moment: Moment) {
    self.info = info
    self.moment = moment
  }

  var text: String {
    var facts = FactList()
    facts.add("store", Answer.printable(info.path))
    if let contents = info.contents {
      addContents(contents, &facts)
      for space in contents.spaces { add(space, &facts) }
    } else {
      addDamage(&facts)
    }
    return facts.text
  }

  private func addContents(_ contents: StoreInfo.Contents, _ facts: inout FactList) {
    let statistics = contents.statistics
    facts.add("format", "version \(contents.formatVersion)")
    facts.add("id", contents.storeID)
    let created = contents.createdMicroseconds
    facts.add("created", "\(Timestamp(microseconds: created).local), \(moment.past(created))")
    facts.add("file", "\(ByteSize(statistics.fileByteCount)), \(ByteSize(statistics.diskByteCount)) of it in use")
    if let quota = statistics.quotaByteCount {
      facts.add("quota", "\(ByteSize(quota)), \(Share.text(statistics.diskByteCount, of: quota)) in use")
    }
    facts.add("sessions", Decimal.grouped(statistics.sessionCount))
    facts.add(
      "blocks",
      "\(Decimal.grouped(statistics.uniqueBlockCount)), \(ByteSize(statistics.uniqueByteCount)) of keys and values "
        + "in \(ByteSize(statistics.compressedByteCount)) of frames")
    for (index, line) in health(statistics).enumerated() { facts.add(index == 0 ? "health" : "", line) }
  }

  /// The verdict, then what wants doing.
  private func health(_ statistics: KVInspection.StoreStatistics) -> [String] {
    var lines: [String] = []
    let damaged = statistics.damagedRecordCount
    if damaged > 0 {
      lines.append(
        Ink.output.bad("\(Answer.count(damaged, "record")) damaged") + ": `kvpager verify` says which and what to do")
    } else {
      lines.append(
        Ink.output.good("sound")
          + ": the file's trees and the records were read; `kvpager verify` checks them all")
    }
    let expired = statistics.expiredSessionCount
    if expired > 0 {
      lines.append(
        "\(Decimal.grouped(expired)) expired \(expired == 1 ? "session is" : "sessions are") due: "
          + "`kvpager gc` deletes \(expired == 1 ? "it" : "them")")
    }
    let stale = statistics.staleReaderCount
    if stale > 0 {
      lines.append("\(Answer.count(stale, "reader")) died while reading; their slots were freed just now")
    }
    return lines
  }

  private func add(_ space: SpaceFacts, _ facts: inout FactList) {
    let fingerprint = space.space.fingerprint
    facts.add(
      "space \(space.space.id)",
      "\(Ink.output.strong(Answer.printable(fingerprint.model))): \(Self.count(space.sessionCount, "session")), "
        + "\(Self.count(space.blockCount, "block")) of up to \(space.space.layout.blockTokenCount) tokens")
    facts.add("", Self.text(space.space.layout))
    if !fingerprint.adapter.isEmpty { facts.add("", "adapter \(Answer.printable(fingerprint.adapter))") }
    for (name, value) in fingerprint.settings.inNameOrder {
      facts.add("", "\(Answer.printable(name)): \(Answer.printable(value))")
    }
    if !fingerprint.salt.isEmpty { facts.add("", "salted: shares nothing with spaces of another salt") }
    if let seed = fingerprint.vllmSeed { facts.add("", "hashes as vLLM's with seed \(Answer.printable(seed))") }
  }

  /// "keys and values of 30 layers, f16; 22.5 KiB a token".
  private static func text(_ layout: BlockLayout) -> String {
    let kinds = [Plane.Kind.keys, .values].filter { kind in layout.planes.contains { $0.plane.kind == kind } }
    let layers = Set(layout.planes.map(\.plane.layer)).count
    let types = Set(layout.planes.map(\.elementType.name)).sorted().joined(separator: ", ")
    let rows = Set(layout.planes.map(\.rowByteCount)).sorted()
    let row =
      rows.count == 1
      ? "rows of \(ByteSize(rows[0]))" : "rows of \(ByteSize(rows[0])) to \(ByteSize(rows[rows.count - 1]))"
    return "\(kinds.map { "\($0)" }.joined(separator: " and ")) of \(count(layers, "layer")), \(types), \(row); "
      + "\(ByteSize(layout.tokenByteCount)) a token"
  }

  private static func count(_ count: Int, _ noun: String) -> String {
    "\(Decimal.grouped(count)) \(noun)\(count == 1 ? "" : "s")"
  }

  /// All that a file tells that LMDB must not open.
  private func addDamage(_ facts: inout FactList) {
    guard let file = info.file else {
      facts.add("health", Ink.output.bad("damaged") + ": its first pages lead nowhere")
      return
    }
    facts.add("file", "\(ByteSize(Int(clamping: file.fileByteCount))), last commit \(file.transactionID)")
    for table in file.tables where table.name == "blocks" || table.name == "sessions" {
      facts.add(table.name, "\(Decimal.grouped(table.entryCount)) found, as far as the damage lets read")
    }
    let limit = 5
    for (index, finding) in file.findings.prefix(limit).enumerated() {
      facts.add(index == 0 ? "health" : "", Ink.output.bad("damaged") + ": \(Answer.printable(finding.description))")
    }
    if file.findings.count > limit { facts.add("", "and \(Answer.count(file.findings.count - limit, "finding")) more") }
  }
}
