import KVBlocks
import KVDiskTier

/// What the largest sessions have in common: the leading blocks that both hold, which are stored once.
package struct SharedPrefixes: Hashable, Sendable {
  package struct Member: Hashable, Sendable {
    package var space: SpaceID
    package var name: String
    package var tokenCount: Int
  }

  /// By space and block table: sessions that begin alike lie together.
  package var members: [Member]
  /// Tokens in common, a row for each member, a column for each; a member's own tokens where both are the same.
  package var tokenCounts: [[Int]]
  /// Sessions of the store; those beyond the members are not compared.
  package var sessionCount: Int

  init(_ sessions: [SessionFacts], of sessionCount: Int, _ tier: DiskTier) throws(StoreError) {
    var rows: [(member: Member, blocks: [BlockHash], ends: [Int])] = []
    for facts in sessions {
      // Deleted meanwhile: as if it had been before.
      guard let record = try tier.session(space: facts.space, name: facts.name) else { continue }
      var ends: [Int] = []
      for block in try tier.summaries(of: record.blocks, in: record.space) {
        ends.append((ends.last ?? 0) + (block?.tokenCount ?? 0))
      }
      rows.append(
        (Member(space: record.space, name: record.name, tokenCount: record.tokens.count), record.blocks, ends))
    }
    rows.sort { a, b in
      if a.member.space != b.member.space { return a.member.space < b.member.space }
      if a.blocks != b.blocks {
        return a.blocks.lexicographicallyPrecedes(b.blocks) { $0.bytes.lexicographicallyPrecedes($1.bytes) }
      }
      return a.member.name.utf8.lexicographicallyPrecedes(b.member.name.utf8)
    }
    self.sessionCount = sessionCount
    members = rows.map(\.member)
    tokenCounts = rows.indices.map { row in
      rows.indices.map { column in
        let (a, b) = (rows[row], rows[column])
        guard a.member.space == b.member.space else { return 0 }
        if row == column { return a.member.tokenCount }
        let common = zip(a.blocks, b.blocks).prefix { $0 == $1 }.count
        return common > 0 ? a.ends[common - 1] : 0
      }
    }
  }
}
