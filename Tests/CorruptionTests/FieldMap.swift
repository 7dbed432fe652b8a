import KVBlocks
import KVCodec

@testable import KVDiskTier

/// What every byte of the file means, and what `verify --deep` must say where it is another. Made from the page map and
/// the format's documentation, never from what verify says.
struct FieldMap {
  /// What must be found where the bytes change.
  enum Rule: Hashable {
    /// Nothing reads them.
    case ignored
    /// Right both ways: what it does depends on the new value, or nothing can tell.
    case open
    /// LMDB's structure, or a record that the whole store hangs on: anything but "sound".
    case structure
    /// A key of one of the store's tables: what it led to looks lost, and is not.
    case key
    /// A record or frame: the store opens, and a finding of one of these kinds names the object.
    case object(kinds: Set<String>, Owner)

    func with(kinds: Set<String>) -> Rule {
      if case .object(_, let owner) = self { .object(kinds: kinds, owner) } else { self }
    }
  }

  enum Owner: Hashable {
    case block(BlockKey)
    case session(SessionKey)
    case space(SpaceID)
    case store

    var space: SpaceID? {
      switch self {
      case .block(let key): key.space
      case .session(let key): key.space
      case .space(let id): id
      case .store: nil
      }
    }
  }

  /// Bytes that mean one thing.
  struct Field {
    let name: String
    let range: Range<Int>
    let rule: Rule
  }

  let map: PageMap
  private(set) var fields: [Field] = []
  /// Which field each byte belongs to; none: ignored.
  private(set) var numbers: [Int32]
  /// What salvage needs of each block, session body and checkpoint.
  private(set) var frameRanges: [UInt64: [Range<Int>]] = [:]
  private(set) var blockFrames: [BlockKey: UInt64] = [:]
  private(set) var sessionRanges: [SessionKey: [Range<Int>]] = [:]
  private(set) var checkpointFrames: [SessionKey: UInt64] = [:]
  private(set) var spaceRanges: [SpaceID: [Range<Int>]] = [:]

  init(_ map: PageMap) throws {
    self.map = map
    numbers = Array(repeating: -1, count: map.bytes.count)
    addMetaPages()
    addTreePages()
    var bodies: [UInt64: SessionKey] = [:]
    var checkpoints: [UInt64: SessionKey] = [:]
    for entry in map.entries { try addRecord(entry, &bodies, &checkpoints) }
    for entry in map.entries where entry.table == TableName.extents { addExtent(entry, bodies, checkpoints) }
  }

  mutating func add(_ name: String, _ start: Int, _ count: Int, _ rule: Rule) {
    guard count > 0 else { return }
    for offset in start..<start + count { numbers[offset] = Int32(fields.count) }
    fields.append(Field(name: name, range: start..<start + count, rule: rule))
  }

  /// Fields one after the other; 0 bytes: to the end.
  private mutating func add(_ name: String, _ range: Range<Int>, _ parts: [(String, Int)], _ rule: Rule) {
    var start = range.lowerBound
    for (part, count) in parts where start < range.upperBound {
      let end = count == 0 ? range.upperBound : min(start + count, range.upperBound)
      add("\(name): \(part)", start, end - start, rule)
      start = end
    }
  }

  func rule(at offset: Int) -> Rule {
    let number = numbers[offset]
    return number < 0 ? .ignored : fields[Int(number)].rule
  }

  // MARK: LMDB's pages

  private mutating func addMetaPages() {
    for meta in 0..<2 {
      let start = meta * PageMap.pageByteCount
      let name = meta == map.newestMeta ? "newest meta page" : "older meta page"
      // What only a commit would follow is not looked at in the older one.
      let tree: Rule = meta == map.newestMeta ? .structure : .open
      add("\(name): page number", start, 8, .structure)
      add("\(name): flags", start + 10, 2, .structure)
      add("\(name): magic", start + 16, 4, .structure)
      add("\(name): version", start + 20, 4, .structure)
      add("\(name): map size", start + 32, 8, .open)
      for (offset, table) in [(40, "free table"), (88, "main table")] {
        add("\(name): \(table): page size", start + offset, 4, offset == 40 ? .structure : .open)
        // An environment's flags lie among those of the free table.
        add("\(name): \(table): flags", start + offset + 4, 2, offset == 40 ? .open : tree)
        add("\(name): \(table): depth", start + offset + 6, 2, tree)
        for (index, count) in ["branch pages", "leaf pages", "overflow pages", "entries", "root"].enumerated() {
          add("\(name): \(table): \(count)", start + offset + 8 + 8 * index, 8, tree)
        }
      }
      add("\(name): last page", start + 136, 8, .open)
      add("\(name): transaction", start + 144, 8, .structure)
    }
  }

  private mutating func addTreePages() {
    for (page, use) in map.uses.enumerated() {
      switch use {
      case .branch, .leaf:
        let start = page * PageMap.pageByteCount
        add("\(use.name): page number", start, 8, .structure)
        add("\(use.name): flags", start + 10, 2, .structure)
        add("\(use.name): free space", start + 12, 4, .structure)
        let count = (map.half(start + 12) - 16) / 2
        add("\(use.name): places of nodes", start + 16, 2 * count, .structure)
      default: break
      }
    }
    for branch in map.branches {
      let name = map.uses[branch.node / PageMap.pageByteCount].name
      add("\(name): child page", branch.node, 6, .structure)
      add("\(name): key size", branch.node + 6, 2, .structure)
      // A separator need not be any key: another may part the children as well.
      add("\(name): separator", branch.key.lowerBound, branch.key.count, .open)
    }
    for entry in map.entries {
      let name = "leaf of \(entry.table)"
      add("\(name): value size", entry.node, 4, .structure)
      add("\(name): node flags", entry.node + 4, 2, .structure)
      add("\(name): key size", entry.node + 6, 2, .structure)
      if entry.isRun { add("\(name): page of the value", entry.inLeaf.lowerBound, 8, .structure) }
    }
  }

  // MARK: Records

  private mutating func addRecord(
    _ entry: PageMap.Entry, _ bodies: inout [UInt64: SessionKey], _ checkpoints: inout [UInt64: SessionKey]
  ) throws {
    let key = Array(map.bytes[entry.key])
    let value = Array(map.bytes[entry.value])
    switch entry.table {
    case PageMap.free:
      add("freelist: transaction", entry.key.lowerBound, 8, .open)
      add("freelist: count", entry.value.lowerBound, 8, .open)
      let count = Int(PageMap.word(map.bytes, entry.value.lowerBound))
      // Where no page is nobody's, every other number is somebody's already or none.
      let isFull = !map.uses.contains(.unused)
      add("freelist: pages", entry.value.lowerBound + 8, 8 * count, isFull ? .structure : .open)
    case PageMap.main:
      add("main: name of a table", entry.key.lowerBound, entry.key.count, .structure)
      add("main: a table: page size", entry.value.lowerBound, 4, .open)
      add("main: a table", entry.value.lowerBound + 4, entry.value.count - 4, .structure)
    case TableName.meta:
      add("store: key", entry.key.lowerBound, entry.key.count, .structure)
      if key == StoreHeader.key {
        add(
          "store record", entry.value,
          [
            ("record version", 2), ("version", 2), ("byte order", 4), ("magic", 8), ("id", 16), ("created", 8),
            ("seal", 0),
          ], .structure)
      } else {
        add(
          "counters", entry.value,
          [("version", 2), ("zero", 2), ("next space", 4), ("next frame", 8), ("last revision", 8), ("seal", 0)],
          .object(kinds: ["record"], .store))
      }
    case TableName.spaces: addSpace(entry, key)
    case TableName.blocks: try addBlock(entry, key, value)
    case TableName.children:
      add("child", entry.key, [("space", 4), ("parent", 32), ("hash", 0)], .key)
    case TableName.recency:
      add("recency", entry.key, [("last use", 8), ("space", 4), ("hash", 0)], .key)
    case TableName.sessions: try addSession(entry, key, value, &bodies, &checkpoints)
    case TableName.extents: add("extent: key", entry.key.lowerBound, 8, .key)
    default: break
    }
  }

  private mutating func addSpace(_ entry: PageMap.Entry, _ key: [UInt8]) {
    let id = SpaceID(rawValue: key.reduce(0) { $0 << 8 | UInt32($1) })
    add("space: key", entry.key.lowerBound, 4, .key)
    let rule = Rule.object(kinds: ["space", "record"], .space(id))
    if entry.isRun { addRunHeader("space", entry, .structure) }
    add("space", entry.value, [("version", 2), ("flags", 2), ("root", 32), ("model's size", 4), ("texts", 12)], rule)
    let planes = entry.value.count - 8 - 12 * 2 - 52
    add("space: settings and planes", entry.value.lowerBound + 52, planes, rule)
    add("space: last planes", entry.value.upperBound - 32, 24, rule)
    add("space: seal", entry.value.upperBound - 8, 8, rule)
    spaceRanges[id] = [entry.value]
  }

  private mutating func addBlock(_ entry: PageMap.Entry, _ key: [UInt8], _ value: [UInt8]) throws {
    add("block: key", entry.key, [("space", 4), ("hash", 0)], .key)
    let block = Keys.block(of: key.span.bytes)!
    let record = try BlockFormat.decode(value.span.bytes, key: block)
    blockFrames[block] = record.frame.id
    add(
      "block", entry.value,
      [
        ("version", 2), ("hits", 2), ("session count", 4), ("last use", 8), ("frame id", 8), ("frame bytes", 8),
        ("frame checksum", 8), ("payload bytes", 8), ("parent", 32), ("tokens' count", 4), ("extra's size", 4),
        ("uses' count", 4), ("tokens", 4 * record.tokens.count), ("extra", record.encodedExtra.count),
        ("uses", 4 * record.codecUses.count), ("seal", 0),
      ], .object(kinds: ["record"], .block(block)))
  }

  private mutating func addSession(
    _ entry: PageMap.Entry, _ key: [UInt8], _ value: [UInt8], _ bodies: inout [UInt64: SessionKey],
    _ checkpoints: inout [UInt64: SessionKey]
  ) throws {
    add("session: key", entry.key, [("space", 4), ("name", 0)], .key)
    let (space, name) = Keys.session(of: key.span.bytes)!
    let owner = SessionKey(space: space, name: name)
    let summary = try SessionFormat.decode(value.span.bytes, space: space, name: name).summary
    let rule = Rule.object(kinds: ["record"], .session(owner))
    let start = entry.value.lowerBound
    add(
      "session", start..<start + 88,
      [
        ("version", 2), ("zero", 2), ("blocks", 4), ("revision", 8), ("created", 8), ("updated", 8), ("expires", 8),
        ("tokens", 8), ("checkpoint's frame", 8), ("checkpoint's frame bytes", 8), ("checkpoint's bytes", 8),
        ("body's frame", 8), ("body's bytes", 8),
      ], rule)
    add("session: seal", entry.value.upperBound - 8, 8, rule)
    if let checkpoint = summary.checkpoint {
      checkpoints[checkpoint.frame.id] = owner
      checkpointFrames[owner] = checkpoint.frame.id
    }
    guard summary.body.id == 0 else {
      bodies[summary.body.id] = owner
      return
    }
    let body = start + 88..<entry.value.upperBound - 8
    addBody("short body", [body], rule)
    sessionRanges[owner] = [body]
  }

  /// - Parameter ranges: where the body lies; its fields of fixed place lie in the first.
  private mutating func addBody(_ name: String, _ ranges: [Range<Int>], _ rule: Rule) {
    for (index, range) in ranges.enumerated() {
      guard index == 0 else {
        add("\(name): further on", range.lowerBound, range.count, rule)
        continue
      }
      add(
        name, range,
        [
          ("version", 2), ("zero", 2), ("magic", 8), ("space", 4), ("bytes", 8), ("revision", 8), ("created", 8),
          ("updated", 8), ("expires", 8), ("checkpoint's frame", 8), ("checkpoint's frame bytes", 8),
          ("checkpoint's bytes", 8), ("checkpoint's identifier", 32), ("root", 32), ("name's size", 4),
          ("tokens' count", 4), ("blocks' count", 4), ("metadata's count", 4), ("origin's size", 4), ("lists", 0),
        ], rule)
    }
    if let last = ranges.last { add("\(name): seal", last.upperBound - 8, 8, rule) }
  }

  // MARK: Extents

  private mutating func addRunHeader(_ name: String, _ entry: PageMap.Entry, _ rule: Rule) {
    let page = entry.value.lowerBound - 16
    add("run of \(name): page number", page, 8, rule)
    add("run of \(name): flags", page + 10, 2, rule)
    add("run of \(name): pages", page + 12, 4, rule)
  }

  private mutating func addExtent(
    _ entry: PageMap.Entry, _ bodies: [UInt64: SessionKey], _ checkpoints: [UInt64: SessionKey]
  ) {
    let number = PageMap.word(map.bytes, entry.key.lowerBound)
    let (frame, piece) = (number >> 16, Int(number & 0xffff))
    let payload = entry.value.lowerBound + 16..<entry.value.upperBound
    let (name, rule, byteCount) = owner(of: frame, piece: piece, payload, bodies, checkpoints)
    // Who deletes a value trusts the header of its pages: a damaged one may cost the frame or the whole file.
    addRunHeader(name, entry, .structure)
    // Reading goes by the table's keys; what an extent says of itself is for salvage.
    add(
      "extent of \(name)", entry.value.lowerBound..<entry.value.lowerBound + 16,
      [("magic", 4), ("piece", 2), ("pieces", 2), ("frame id", 8)], rule.with(kinds: ["extent"]))
    let whole = payload.lowerBound..<min(payload.upperBound, payload.lowerBound + byteCount)
    frameRanges[frame, default: []] += [entry.value.lowerBound..<entry.value.lowerBound + 16, whole]
    if let session = bodies[frame] {
      sessionRanges[session, default: []] += [entry.value.lowerBound..<entry.value.lowerBound + 16, whole]
      addBody("long body", [whole], rule)
    } else if piece == 0 {
      addFrame(name, whole, rule)
    } else {
      add("\(name): later piece", whole.lowerBound, whole.count, rule)
    }
  }

  /// Whose frame it is, what a change of it must be called, and how many of the piece's bytes are the whole's.
  private func owner(
    of frame: UInt64, piece: Int, _ payload: Range<Int>, _ bodies: [UInt64: SessionKey],
    _ checkpoints: [UInt64: SessionKey]
  ) -> (name: String, rule: Rule, byteCount: Int) {
    let done = piece * ExtentFormat.fullPayloadByteCount
    // The frame's own header tells its length; a body's stands at the same place in it.
    let first = piece == 0 ? payload.lowerBound : self.firstPayload(of: frame)
    let total = Int(PageMap.word(map.bytes, first + 16))
    if let session = bodies[frame] {
      return ("body", .object(kinds: ["record"], .session(session)), total - done)
    }
    if let session = checkpoints[frame] {
      return ("checkpoint", .object(kinds: ["checkpoint"], .session(session)), total - done)
    }
    let block = blockFrames.first { $0.value == frame }!.key
    return ("frame", .object(kinds: ["frame", "identity"], .block(block)), total - done)
  }

  private func firstPayload(of frame: UInt64) -> Int {
    map.entries.first {
      $0.table == TableName.extents && PageMap.word(map.bytes, $0.key.lowerBound) == frame << 16
    }!.value.lowerBound + 16
  }

  private mutating func addFrame(_ name: String, _ range: Range<Int>, _ rule: Rule) {
    let start = range.lowerBound
    let headerByteCount = map.half(start + 12) | map.half(start + 14) << 16
    add(
      name, start..<start + 112,
      [
        ("magic", 8), ("version", 2), ("kind", 1), ("zero", 1), ("header bytes", 4), ("frame bytes", 8), ("space", 4),
        ("block tokens", 4), ("hash", 32), ("parent", 32), ("tokens' count", 4), ("extra's size", 4), ("planes", 4),
        ("zeros", 4),
      ], rule)
    add(
      name, start + 112..<start + 136,
      [
        ("plane kind", 1), ("element type", 1), ("filter", 1), ("compressor", 1), ("layer", 4), ("row bytes", 4),
        ("stored bytes", 4), ("plane checksum", 8),
      ], rule)
    add("\(name): further planes, tokens, extra", start + 136, headerByteCount - 136 - 8, rule)
    add("\(name): header checksum", start + headerByteCount - 8, 8, rule)
    add("\(name): planes' bytes", start + headerByteCount, range.count - headerByteCount, rule)
  }
}
