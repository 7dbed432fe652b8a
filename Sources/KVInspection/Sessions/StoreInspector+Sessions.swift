import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// All sessions, by space and name.
  package func sessions() throws(StoreError) -> [SessionFacts] { try sessions(SessionQuery()).sessions }

  /// The sessions that a query asks for. Each session's record is read once, through many short transactions.
  package func sessions(
    _ query: SessionQuery, nowMicroseconds: UInt64 = StoreClock.microseconds()
  ) throws(StoreError) -> SessionList {
    try withTier { (tier) throws(StoreError) in
      var list = SessionList()
      let lookup = try Self.lookup(query, tier, nowMicroseconds: nowMicroseconds)
      var damaged: [String] = []
      let outcome = try tier.scanSessions(
        where: { summary in
          list.storedCount += 1
          return query.admits(summary, nowMicroseconds: nowMicroseconds)
        }, damaged: { name, _ in damaged.append(name) }
      ) { (summary, record) throws(StoreError) in
        guard query.admits(record) else { return true }
        var facts = SessionFacts(summary, record)
        let last = record.blocks.count - 1
        try lookup.forEach(of: record.blocks, in: record.space) { facts.add($1, isLast: $0 == last) }
        guard query.admits(facts, nowMicroseconds: nowMicroseconds) else { return true }
        list.total.add(facts)
        list.sessions.append(facts)
        return true
      }
      for name in damaged { list.noteDamaged(name) }
      list.isOneSnapshot = outcome.isOneSnapshot
      list.sessions = query.sorted(list.sessions)
      if let limit = query.limit, list.sessions.count > limit {
        list.sessions.removeLast(list.sessions.count - max(0, limit))
      }
      return list
    }
  }

  /// For the blocks of the sessions that a query may ask for.
  static func lookup(
    _ query: SessionQuery, _ tier: DiskTier, nowMicroseconds: UInt64
  ) throws(StoreError) -> BlockLookup {
    var count = 0
    try tier.scanSessionSummaries { (summary) throws(StoreError) in
      if query.admits(summary, nowMicroseconds: nowMicroseconds) { count += summary.blockCount }
      return true
    }
    return try BlockLookup(tier, count: count)
  }

  /// One session with its tokens and blocks.
  /// - Parameters:
  ///   - space: needed only where several spaces have a session of that name.
  ///   - sharingLimit: the most sessions that are named as sharing blocks with it.
  /// - Throws: `notFound`; `invalidArgument` for a name that several spaces have.
  package func session(
    named name: String, space: SpaceID? = nil, sharingLimit: Int = 10
  ) throws(StoreError) -> SessionDetail {
    try withTier { (tier) throws(StoreError) in
      var found: [SpaceRecord] = []
      var damage: StoreError?
      for record in try tier.spaces(damaged: { damage = $1 }) where space == nil || record.id == space {
        if try tier.holdsSession(space: record.id, name: name) { found.append(record) }
      }
      guard found.count < 2 else {
        let spaces = found.map { String($0.id.rawValue) }.joined(separator: ", ")
        throw .invalidArgument("spaces \(spaces) each have a session \"\(name)\": say which space is meant")
      }
      guard let home = found.first, let (summary, record) = try tier.wholeSession(space: home.id, name: name) else {
        // It may be a session of a space that cannot be read.
        throw damage
          ?? StoreError(.notFound, "there is no session \"\(name)\" in \(path); `kvpager sessions` lists them")
      }
      var detail = SessionDetail(
        facts: SessionFacts(summary, record), space: home, tokens: record.tokens, blocks: [])
      let lookup = try BlockLookup(tier, count: record.blocks.count)
      var tokenOffset = 0
      try lookup.forEach(of: record.blocks, in: home.id) { index, stored in
        detail.facts.add(stored, isLast: index == record.blocks.count - 1)
        detail.blocks.append(SessionBlockFacts(hash: record.blocks[index], tokenOffset: tokenOffset, stored: stored))
        tokenOffset += stored?.tokenCount ?? 0
      }
      try Self.findSharing(&detail, tier, limit: sharingLimit)
      return detail
    }
  }

  /// Sessions that share blocks share them from the first on: a block's identity is all that comes before it.
  private static func findSharing(
    _ detail: inout SessionDetail, _ tier: DiskTier, limit: Int
  ) throws(StoreError) {
    guard detail.facts.sharedBlockCount > 0, let first = detail.blocks.first?.hash else { return }
    let own = detail.facts
    var largest: [SessionDetail.Sharing] = []
    var count = 0
    try tier.scanSessions(where: { $0.space == own.space && $0.name != own.name && $0.blockCount > 0 }) {
      (_, record) throws(StoreError) in
      guard record.blocks.first == first else { return true }
      var (blockCount, tokenCount) = (0, 0)
      for (hash, block) in zip(record.blocks, detail.blocks) {
        guard hash == block.hash else { break }
        blockCount += 1
        tokenCount += block.tokenCount
      }
      count += 1
      let sharing = SessionDetail.Sharing(name: record.name, blockCount: blockCount, tokenCount: tokenCount)
      let place = largest.firstIndex { $0.blockCount < blockCount } ?? largest.count
      largest.insert(sharing, at: place)
      if largest.count > max(0, limit) { largest.removeLast() }
      return true
    }
    detail.sharing = largest
    detail.sharingCount = count
  }
}
