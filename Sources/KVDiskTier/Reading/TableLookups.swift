import KVBlocks
import SafeLMDB

/// Typed look-ups, in a transaction of either kind.
extension Tables {
  func counters(_ transaction: borrowing some TableReading & ~Copyable) throws(StoreError) -> StoreCounters {
    let key = StoreCounters.key
    guard let bytes = try transaction.read(key.span.bytes, in: meta) else {
      throw .damagedRecord("counters", "it is missing")
    }
    return try StoreCounters.decode(bytes)
  }

  func space(
    _ id: SpaceID, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> SpaceRecord? {
    let key = Keys.space(id)
    guard let bytes = try transaction.read(key.span.bytes, in: spaces) else { return nil }
    return try SpaceFormat.decode(bytes, id: id)
  }

  /// All spaces, by id. Those whose records are damaged are left to `damaged`: the others are of use without them.
  func allSpaces(
    _ transaction: borrowing some TableReading & ~Copyable,
    damaged: (SpaceID?, RawSpan, StoreError) -> Void = { _, _, _ in }
  ) throws(StoreError) -> [SpaceRecord] {
    var records: [SpaceRecord] = []
    try transaction.forEach(in: spaces) { (key, value) throws(StoreError) in
      guard key.byteCount == 4 else {
        damaged(nil, value, .damagedRecord("space", "its key has \(key.byteCount) bytes"))
        return true
      }
      let id = SpaceID(rawValue: UInt32(bigEndian: key.unsafeLoadUnaligned(as: UInt32.self)))
      do throws(StoreError) {
        records.append(try SpaceFormat.decode(value, id: id))
      } catch {
        damaged(id, value, error)
      }
      return true
    }
    return records
  }

  func holdsBlock(_ key: BlockKey, _ transaction: borrowing some TableReading & ~Copyable) throws(StoreError) -> Bool {
    try transaction.holds(Keys.block(key).span.bytes, in: blocks)
  }

  /// Nil where the block is not stored.
  func blockHead(
    _ key: BlockKey, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> BlockHead? {
    guard let bytes = try transaction.read(Keys.block(key).span.bytes, in: blocks) else { return nil }
    return try BlockFormat.decodeHead(bytes)
  }

  func blockRecord(
    _ key: BlockKey, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> BlockRecord? {
    guard let bytes = try transaction.read(Keys.block(key).span.bytes, in: blocks) else { return nil }
    return try BlockFormat.decode(bytes, key: key)
  }

  /// A block's record as it stands, verified, to be changed in place.
  func blockBytes(
    _ key: BlockKey, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> (bytes: [UInt8], head: BlockHead)? {
    guard let bytes = try transaction.read(Keys.block(key).span.bytes, in: blocks) else { return nil }
    let head = try BlockFormat.decodeHead(bytes)
    return (bytes.withUnsafeBytes { Array($0) }, head)
  }

  func childHashes(
    of parent: BlockKey, limit: Int = .max, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> [BlockHash] {
    var hashes: [BlockHash] = []
    let start = Keys.child(of: parent, hash: SessionBody.noIdentifier)
    try transaction.forEach(in: children, from: start.span.bytes) { (key, _) throws(StoreError) in
      guard let child = Keys.child(of: key), child.parent == parent else { return false }
      hashes.append(child.hash)
      return hashes.count < limit
    }
    return hashes
  }

  func sessionSummary(
    _ space: SpaceID, _ name: String, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> (summary: SessionSummary, inlineBody: [UInt8]?)? {
    let key = try Keys.session(space, name)
    guard let bytes = try transaction.read(key.span.bytes, in: sessions) else { return nil }
    return try SessionFormat.decode(bytes, space: space, name: name)
  }

  func sessionBody(
    _ summary: SessionSummary, inline: [UInt8]?, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> SessionBody {
    let body: SessionBody
    if let inline {
      body = try SessionBody.decode(inline)
    } else {
      body = try SessionBody.decode(try joined(summary.body, transaction))
    }
    guard body.record.name == summary.name, body.record.space == summary.space else {
      throw .damagedRecord("session", "\"\(summary.name)\" holds the body of \"\(body.record.name)\"")
    }
    return body
  }

  /// All sessions' summaries, by space and name. Those that are damaged are left to `damaged`.
  func allSessions(
    _ transaction: borrowing some TableReading & ~Copyable,
    damaged: (String, StoreError) -> Void = { _, _ in }
  ) throws(StoreError) -> [(summary: SessionSummary, inlineBody: [UInt8]?)] {
    var all: [(SessionSummary, [UInt8]?)] = []
    try transaction.forEach(in: sessions) { (key, value) throws(StoreError) in
      guard let (space, name) = Keys.session(of: key) else {
        damaged("?", .damagedRecord("session", "its key is no space and name"))
        return true
      }
      do throws(StoreError) {
        all.append(try SessionFormat.decode(value, space: space, name: name))
      } catch {
        damaged(name, error)
      }
      return true
    }
    return all
  }
}
