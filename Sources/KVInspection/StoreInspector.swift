import KVBlocks
import KVDiskTier

/// Reads a store without opening it for use, also a damaged one. Never writes to its data.
///
/// Each call opens the store for reading and closes it again, so that an inspector pins nothing between calls. LMDB
/// keeps its list of readers in `lock.mdb`; on a medium that cannot be written it reads without.
package struct StoreInspector: Sendable {
  /// The store's directory.
  package let path: String

  package init(path: String) { self.path = path }

  /// What the store is: versions, spaces, sizes, and what the guard says of its file. A store that the guard refuses
  /// has facts about its file alone.
  /// - Throws: `notFound`, `permissionDenied`, `inputOutput`; `foreignByteOrder`, `versionTooNew`, `notAStore`.
  package func info() throws(StoreError) -> StoreInfo {
    let file: LMDBFileReport
    do throws(StoreError) {
      file = try LMDBFileGuard.inspect(path: path)
    } catch  where error.code == .damaged {
      return StoreInfo(path: path, file: nil, refusal: error.description, contents: nil)
    }
    if let refusal = LMDBFileGuard.refusal(file, path: path) {
      return StoreInfo(path: path, file: file, refusal: refusal.description, contents: nil)
    }
    do throws(StoreError) {
      let contents = try withTier { (tier) throws(StoreError) in
        StoreInfo.Contents(
          formatVersion: Int(tier.header.formatVersion), storeID: Hex.string(of: tier.header.storeID),
          createdMicroseconds: tier.header.createdMicroseconds, spaces: try Self.spaces(tier),
          statistics: StoreStatistics(try tier.statistics()))
      }
      return StoreInfo(path: path, file: file, refusal: nil, contents: contents)
    } catch  where error.code == .damaged {
      return StoreInfo(path: path, file: file, refusal: error.description, contents: nil)
    }
  }

  /// Counts of the whole store.
  package func statistics() throws(StoreError) -> StoreStatistics {
    try withTier { (tier) throws(StoreError) in StoreStatistics(try tier.statistics()) }
  }

  /// All sessions, by space and name.
  package func sessions() throws(StoreError) -> [SessionFacts] {
    try withTier { (tier) throws(StoreError) in
      var facts: [SessionFacts] = []
      for summary in try tier.sessionSummaries() {
        // Deleted between the two transactions: as if it had been before.
        guard let record = try tier.session(space: summary.space, name: summary.name) else { continue }
        facts.append(SessionFacts(record, blocks: try Self.blocks(of: record, tier)))
      }
      return facts
    }
  }

  /// One session with its tokens and blocks.
  /// - Parameter space: needed only where several spaces have a session of that name.
  /// - Throws: `notFound`; `invalidArgument` for a name that several spaces have.
  package func session(named name: String, space: SpaceID? = nil) throws(StoreError) -> SessionDetail {
    try withTier { (tier) throws(StoreError) in
      let found = try tier.sessionSummaries().filter { $0.name == name && (space == nil || $0.space == space) }
      guard found.count < 2 else {
        let spaces = found.map { String($0.space.rawValue) }.joined(separator: ", ")
        throw .invalidArgument("spaces \(spaces) each have a session \"\(name)\": say which space is meant")
      }
      guard let summary = found.first, let record = try tier.session(space: summary.space, name: name) else {
        throw StoreError(.notFound, "there is no session \"\(name)\" in \(path); `kvpager sessions` lists them")
      }
      let blocks = try Self.blocks(of: record, tier)
      return SessionDetail(facts: SessionFacts(record, blocks: blocks), tokens: record.tokens, blocks: blocks)
    }
  }

  // MARK: Reading

  func withTier<R>(_ body: (DiskTier) throws(StoreError) -> R) throws(StoreError) -> R {
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly))
    defer { tier.close() }
    return try body(tier)
  }

  private static func spaces(_ tier: DiskTier) throws(StoreError) -> [SpaceFacts] {
    let statistics = try tier.statistics()
    return try tier.spaces().map { SpaceFacts($0, statistics.spaces[$0.id]) }
  }

  /// A session's blocks in order; a block that is gone or damaged has no bytes.
  private static func blocks(of record: SessionRecord, _ tier: DiskTier) throws(StoreError) -> [BlockFacts] {
    var blocks: [BlockFacts] = []
    blocks.reserveCapacity(record.blocks.count)
    var tokenOffset = 0
    for hash in record.blocks {
      var stored: BlockRecord?
      do throws(StoreError) {
        stored = try tier.record(of: BlockKey(space: record.space, hash: hash))
      } catch  where error.code == .damaged {
        stored = nil
      }
      blocks.append(BlockFacts(hash: hash, tokenOffset: tokenOffset, record: stored))
      tokenOffset += stored?.tokens.count ?? 0
    }
    return blocks
  }
}
