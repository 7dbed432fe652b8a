import KVInspection
import KVPager

/// What `stats --detail` adds.
extension StatisticsText {
  var sections: String { layers + sharing + ages + tables + readers }

  private func title(_ text: String) -> String { "\n" + Ink.output.strong(text) + "\n" }

  /// A line for each layer of each space and element type, keys and values side by side.
  private var layers: String {
    guard let planes = statistics.planes, !planes.entries.isEmpty else { return "" }
    struct Row: Hashable {
      var space: SpaceID
      var layer: Int
      var type: ElementType
    }
    var order: [Row] = []
    var sums: [Row: [Plane.Kind: (raw: Int, stored: Int)]] = [:]
    for entry in planes.entries {
      let row = Row(space: entry.space, layer: entry.plane.layer, type: entry.elementType)
      if sums[row] == nil { order.append(row) }
      sums[row, default: [:]][entry.plane.kind] = (entry.rawByteCount, entry.storedByteCount)
    }
    order.sort { ($0.space, $0.layer) < ($1.space, $1.layer) }
    var table = TextTable([
      ("SPACE", .right), ("LAYER", .right), ("TYPE", .left), ("KEYS", .right), ("STORED", .right), ("FACTOR", .right),
      ("VALUES", .right), ("STORED", .right), ("FACTOR", .right),
    ])
    for row in order {
      var cells = [row.space.description, String(row.layer), row.type.name]
      for kind in [Plane.Kind.keys, .values] {
        guard let sum = sums[row]?[kind] else {
          cells += ["-", "-", "-"]
          continue
        }
        cells += [ByteSize(sum.raw).description, ByteSize(sum.stored).description, Share.factor(sum.raw, sum.stored)]
      }
      table.append(cells)
    }
    return title("Layers") + table.text
      + "headers of frames: \(ByteSize(planes.headerByteCount))"
      + (planes.damagedFrameCount > 0 ? "; \(Answer.count(planes.damagedFrameCount, "frame")) damaged" : "") + "\n"
  }

  private var sharing: String {
    chart(
      "Blocks by sessions that hold them", first: "HELD BY",
      statistics.sharing.bins.map { (Self.range($0.sessions), $0.count) })
  }

  private var ages: String {
    chart(
      "Blocks by their last use", first: "LAST USED",
      statistics.ages.bins.map { ($0.age == .older ? "30 days ago or more" : "\($0.age.rawValue) ago", $0.count) })
  }

  private func chart(_ name: String, first: String, _ bins: [(name: String, count: BinCount)]) -> String {
    guard !bins.isEmpty else { return "" }
    let bar = Bar()
    let most = bins.map(\.count.blockCount).max() ?? 0
    var table = TextTable([
      (first, .left), ("BLOCKS", .right), ("SHARE", .right), ("ROWS", .right), ("STORED", .right), ("", .left),
    ])
    for bin in bins {
      table.append([
        bin.name, Decimal.grouped(bin.count.blockCount),
        "\(Decimal.text(100 * Double(bin.count.blockCount) / Double(max(1, statistics.uniqueBlockCount)), digits: 1)) %",
        ByteSize(bin.count.uniqueByteCount).description, ByteSize(bin.count.compressedByteCount).description,
        bar.text(bin.count.blockCount, of: most),
      ])
    }
    return title(name) + table.text
  }

  private var tables: String {
    let file = statistics.file
    var table = TextTable([
      ("TABLE", .left), ("ENTRIES", .right), ("DEPTH", .right), ("BRANCH", .right), ("LEAF", .right), ("RUNS", .right),
      ("BYTES", .right),
    ])
    for entry in file.tables {
      let pages = entry.branchPageCount + entry.leafPageCount + entry.overflowPageCount
      table.append([
        entry.name, Decimal.grouped(entry.entryCount), String(entry.depth), Decimal.grouped(entry.branchPageCount),
        Decimal.grouped(entry.leafPageCount), Decimal.grouped(entry.overflowPageCount),
        ByteSize(Int(clamping: pages) &* file.pageByteCount).description,
      ])
    }
    return title("LMDB's tables, in pages of \(ByteSize(file.pageByteCount))") + table.text
      + "\(Decimal.grouped(file.freePageCount)) pages free, "
      + "\(Decimal.grouped(file.unreachablePageCount)) that nothing leads to; transaction \(file.transactionID)\n"
  }

  private var readers: String {
    guard !statistics.readers.isEmpty else { return "" }
    var table = TextTable([("READER", .right), ("SNAPSHOT", .right), ("BEHIND", .right), ("STATE", .left)])
    for reader in statistics.readers {
      table.append([
        String(reader.processID), reader.snapshot.map { String($0) } ?? "-",
        reader.commitsBehind.map { "\($0) commits" } ?? "-",
        reader.isStale ? "died; its slot is free now" : reader.snapshot == nil ? "idle" : "reading",
      ])
    }
    return title("Readers") + table.text
  }
}
