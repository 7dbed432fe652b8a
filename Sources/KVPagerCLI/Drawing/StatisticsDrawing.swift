import KVInspection
import KVPager

/// What `stats` says to people.
struct StatisticsDrawing {
  let statistics: KVInspection.StoreStatistics

  init(_ statistics: KVInspection.StoreStatistics) { self.statistics = statistics }

  /// One screen.
  var summary: String {
    var facts = FactList()
    var sessions = Decimal.grouped(statistics.sessionCount)
    if statistics.expiredSessionCount > 0 {
      sessions += ", \(Decimal.grouped(statistics.expiredSessionCount)) of them expired and due at the next gc"
    }
    facts.add("sessions", sessions)
    facts.add(
      "blocks",
      "\(Decimal.grouped(statistics.uniqueBlockCount)) unique, "
        + Answer.count(statistics.blockReferenceCount, "reference", isGrouped: true) + ", "
        + "\(Decimal.grouped(statistics.deletableBlockCount)) in no session")
    facts.add("tokens", "\(Decimal.grouped(statistics.total.tokenCount)) stored")
    addSteps(&facts)
    if statistics.checkpointByteCount > 0 {
      facts.add("checkpoints", "\(ByteSize(statistics.checkpointByteCount))")
    }
    addSharing(&facts)
    addWaste(&facts)
    addReaders(&facts)
    addActivity(&facts)
    if statistics.damagedRecordCount > 0 {
      facts.add(
        "damaged",
        Ink.output.bad("\(Answer.count(statistics.damagedRecordCount, "record")), counted nowhere else; see verify"))
    }
    if !statistics.isOneSnapshot {
      facts.add("note", "others wrote meanwhile: the figures are of slightly different moments")
    }
    return facts.text + kinds + spaces
  }

  private func addSteps(_ facts: inout FactList) {
    let steps = [
      ("logical", statistics.logicalByteCount, nil, "rows, as if each session had its own"),
      ("unique", statistics.uniqueByteCount, statistics.sharingFactor, "each block once"),
      ("compressed", statistics.compressedByteCount, statistics.codecFactor, "their frames"),
      ("disk", statistics.diskByteCount, statistics.storageFactor, "pages in use, of a file of "),
    ]
    let sizes = steps.map { ByteSize($0.1).description }
    let width = sizes.map(\.count).max() ?? 0
    for (step, size) in zip(steps, sizes) {
      let factor = step.2.map { "\(Decimal.text($0, digits: 2)) x" } ?? "-"
      var what = step.3
      if step.0 == "disk" { what += ByteSize(statistics.fileByteCount).description }
      let line = "\(Self.leading(size, width))  \(Self.leading(step.0 == "logical" ? "" : factor, 8))  \(what)"
      facts.add(step.0, line)
    }
    if let quota = statistics.quotaByteCount {
      facts.add("quota", "\(ByteSize(quota)), \(Share.text(statistics.diskByteCount, of: quota)) in use")
    }
  }

  private func addSharing(_ facts: inout FactList) {
    let shared = statistics.sharing.bins.filter { $0.sessions.lowerBound > 1 }
    let count = shared.reduce(0) { $0 + $1.count.blockCount }
    guard count > 0 else { return }
    facts.add(
      "shared",
      "\(Decimal.grouped(count)) blocks (\(Share.text(count, of: statistics.uniqueBlockCount))) "
        + "are held by two sessions or more, one of them by \(Decimal.grouped(statistics.sharing.mostSessions))")
  }

  private func addWaste(_ facts: inout FactList) {
    let waste = statistics.waste
    if waste.tailCount > 0 {
      facts.add(
        "tails",
        "\(Decimal.grouped(waste.tailCount)) blocks lack \(Decimal.grouped(waste.missingTokenCount)) tokens: "
          + "\(ByteSize(waste.unusedRowByteCount)) of room in RAM, none on disk")
    }
    facts.add(
      "overhead",
      "\(ByteSize(waste.extentPaddingByteCount)) around frames, \(ByteSize(waste.treeByteCount)) of trees, "
        + "\(ByteSize(waste.freeByteCount)) free")
    if waste.unreachableByteCount > 0 {
      facts.add(
        "lost",
        "\(ByteSize(waste.unreachableByteCount)) in pages that nothing leads to; salvage makes a store without")
    }
  }

  private func addReaders(_ facts: inout FactList) {
    guard !statistics.readers.isEmpty else { return }
    let stale = statistics.staleReaderCount
    var text = Decimal.grouped(statistics.readers.count)
    if stale > 0 { text += Ink.output.caution(", \(stale) of them died while reading: their slots are free now") }
    facts.add("readers", text)
  }

  private func addActivity(_ facts: inout FactList) {
    guard let activity = statistics.activity else { return }
    let total = activity.total
    let hits = total.memoryHits &+ total.diskHits
    let asked = hits &+ total.misses
    facts.add(
      "look-ups",
      asked == 0
        ? "none since \(Timestamp(microseconds: activity.sinceMicroseconds).local)"
        : "\(Decimal.grouped(asked)) blocks since \(Timestamp(microseconds: activity.sinceMicroseconds).local): "
          + "\(Share.text(Int(clamping: total.memoryHits), of: Int(clamping: asked))) found in RAM, "
          + "\(Share.text(Int(clamping: total.diskHits), of: Int(clamping: asked))) on disk")
    facts.add(
      "traffic",
      "\(Decimal.grouped(total.loads)) loads, \(Decimal.grouped(total.evictions)) evictions, "
        + "\(Decimal.grouped(total.writeBacks)) written back (\(ByteSize(Int(clamping: total.bytesWritten))))")
    let open = activity.processes.count(where: \.isAlive)
    if open > 0 { facts.add("in use", "by \(open == 1 ? "1 process" : "\(open) processes"); see watch") }
  }

  /// Keys and values, by element type.
  private var kinds: String {
    guard let planes = statistics.planes, !planes.entries.isEmpty else { return "" }
    struct Kind: Hashable {
      var kind: Plane.Kind
      var type: ElementType
    }
    var table = TextTable([
      ("PLANES", .left), ("TYPE", .left), ("ROWS", .right), ("STORED", .right), ("FACTOR", .right),
    ])
    for sum in planes.sums(by: { Kind(kind: $0.plane.kind, type: $0.elementType) }) {
      table.append([
        "\(sum.key.kind)", sum.key.type.name, ByteSize(sum.rawByteCount).description,
        ByteSize(sum.storedByteCount).description, Share.factor(sum.rawByteCount, sum.storedByteCount),
      ])
    }
    return "\n" + table.text + sampleNote
  }

  private var sampleNote: String {
    guard let planes = statistics.planes, planes.isSampled else { return "" }
    return "from \(Decimal.grouped(planes.readFrameCount)) of \(Decimal.grouped(planes.frameCount)) frames' headers, "
      + "scaled; --exact reads all\n"
  }

  private var spaces: String {
    guard !statistics.spaces.isEmpty else { return "" }
    var table = TextTable([
      ("SPACE", .right), ("MODEL", .left), ("SESSIONS", .right), ("BLOCKS", .right), ("LOGICAL", .right),
      ("UNIQUE", .right), ("COMPRESSED", .right), ("DISK", .right),
    ])
    let limit = 8
    for space in statistics.spaces.prefix(limit) {
      table.append([
        space.space.id.description, Answer.printable(space.space.fingerprint.model),
        Decimal.grouped(space.sessionCount), Decimal.grouped(space.blockCount),
        ByteSize(space.logicalByteCount).description, ByteSize(space.uniqueByteCount).description,
        ByteSize(space.compressedByteCount).description, ByteSize(space.diskByteCount).description,
      ])
    }
    let rest = statistics.spaces.count - limit
    return "\n" + table.text + (rest > 0 ? "and \(Answer.count(rest, "space")) more; `kvpager info` lists all\n" : "")
  }

  static func leading(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// "1 session", "4 to 7 sessions".
  static func range(_ sessions: ClosedRange<Int>) -> String {
    if sessions.upperBound == 0 { return "no session" }
    if sessions.upperBound == 1 { return "1 session" }
    return "\(Decimal.grouped(sessions.lowerBound)) to \(Decimal.grouped(sessions.upperBound)) sessions"
  }
}
