import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// The prefix tree of each space: who shares which beginning, and what it takes.
  ///
  /// Memory is about 150 bytes for each stored block at its peak, and what the answer itself needs.
  /// - Throws: `notFound` for a space or session that is not there; `invalidArgument` for options that cannot be meant
  ///   and for a session's name that several spaces have.
  package func tree(_ options: TreeOptions = TreeOptions()) throws(StoreError) -> PrefixTree {
    guard (1...TreeOptions.depthLimit).contains(options.depth) else {
      throw .invalidArgument("a depth of \(options.depth); it must be 1 to \(TreeOptions.depthLimit)")
    }
    guard options.width > 0, options.nodeLimit > 0 else {
      throw .invalidArgument("a width of \(options.width) and \(options.nodeLimit) nodes; both must be 1 or more")
    }
    return try withTier { (tier) throws(StoreError) in
      var options = options
      var path: [BlockHash]?
      if let name = options.session {
        let session = try sessionRecord(named: name, space: options.space, tier)
        (options.space, path) = (session.space, session.blocks)
      }
      let spaces = try spaces(options.space, tier)
      let index = try BlockIndex(
        tier, space: options.space, roots: Dictionary(spaces.map { ($0.id, $0.root) }) { first, _ in first })
      let ends = try SessionEnds(tier, index, space: options.space)
      var builder = PrefixTreeBuilder(index, PrefixForest(index), ends, options)
      return try builder.tree(of: spaces, path: path) { (space, node, hashes) throws(StoreError) in
        if let text = options.text {
          return text(try Self.tokens(of: hashes, in: space, limit: options.textTokenLimit, tier))
        }
        guard options.wantsSessionText, let name = node.endingSessions.first else { return nil }
        return try Self.sessionText(name, space, tier)
      }
    }
  }

  /// The first tokens of blocks that follow one another; those of a block that cannot be read, and all after it, are
  /// left out.
  static func tokens(
    of hashes: [BlockHash], in space: SpaceID, limit: Int, _ tier: DiskTier
  ) throws(StoreError) -> [Token] {
    var tokens: [Token] = []
    for hash in hashes where tokens.count < limit {
      do throws(StoreError) {
        guard let record = try tier.record(of: BlockKey(space: space, hash: hash)) else { break }
        tokens += record.tokens.prefix(limit - tokens.count)
      } catch  where error.code == .damaged {
        break
      }
    }
    return tokens
  }

  /// Nil where the session keeps no words, or cannot be read.
  private static func sessionText(_ name: String, _ space: SpaceID, _ tier: DiskTier) throws(StoreError) -> String? {
    do throws(StoreError) {
      return try tier.session(space: space, name: name).flatMap { SessionWords.opening($0.metadata) }
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// All spaces that can be read, or the one that is meant.
  /// - Throws: `notFound`, and `damaged` for the one that is meant.
  func spaces(_ wanted: SpaceID?, _ tier: DiskTier) throws(StoreError) -> [SpaceRecord] {
    var damage: StoreError?
    let all = try tier.spaces { id, error in if id == wanted { damage = error } }
    guard let wanted else { return all }
    guard let found = all.first(where: { $0.id == wanted }) else {
      throw damage ?? StoreError(.notFound, "there is no space \(wanted) in \(path); `kvpager info` lists them")
    }
    return [found]
  }

  /// A session by its name.
  /// - Parameter space: needed only where several spaces have a session of that name.
  func sessionRecord(
    named name: String, space: SpaceID?, _ tier: DiskTier
  ) throws(StoreError) -> SessionRecord {
    var found: [SessionRecord] = []
    var damage: StoreError?
    let spaces = if let space { [space] } else { try tier.spaces { damage = $1 }.map(\.id) }
    for id in spaces {
      if let record = try tier.session(space: id, name: name) { found.append(record) }
    }
    guard found.count < 2 else {
      let spaces = found.map { String($0.space.rawValue) }.joined(separator: ", ")
      throw .invalidArgument("spaces \(spaces) each have a session \"\(name)\": say which space is meant")
    }
    guard let record = found.first else {
      // It may be a session of a space that cannot be read.
      throw damage ?? StoreError(.notFound, "there is no session \"\(name)\" in \(path); `kvpager sessions` lists them")
    }
    return record
  }
}
