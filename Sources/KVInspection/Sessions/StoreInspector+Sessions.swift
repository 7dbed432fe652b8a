import KVBlocks
import KVDiskTier

extension StoreInspector {
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

  /// A session's blocks in order; a block that is gone or damaged has no bytes.
  private static func blocks(of record: SessionRecord, _ tier: DiskTier) throws(StoreError) -> [SessionBlockFacts] {
    var blocks: [SessionBlockFacts] = []
    blocks.reserveCapacity(record.blocks.count)
    var tokenOffset = 0
    for hash in record.blocks {
      var stored: BlockRecord?
      do throws(StoreError) {
        stored = try tier.record(of: BlockKey(space: record.space, hash: hash))
      } catch  where error.code == .damaged {
        stored = nil
      }
      blocks.append(SessionBlockFacts(hash: hash, tokenOffset: tokenOffset, record: stored))
      tokenOffset += stored?.tokens.count ?? 0
    }
    return blocks
  }
}
