import KVBlocks

/// Something that a sound store does not have.
package struct Finding: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A record that cannot be read.
    case record
    /// A cache space that cannot be used.
    case space
    /// A frame with missing, foreign or failing pieces.
    case frame
    /// A block that is not what its key says.
    case identity
    /// A session without one of its blocks, or with a damaged one.
    case missingBlock
    /// A checkpoint that cannot be read.
    case checkpoint
    /// A block without its parent.
    case orphanedBlock
    /// A session's listing that is not what the session is.
    case sessionRecord
    /// A session count that is not what the sessions' block tables add up to.
    case sessionCount
    /// `children` disagrees with `blocks`.
    case children
    /// `recency` disagrees with `blocks`.
    case recency
    /// A number that was about to be given a second time.
    case counters
    /// Extents of no frame.
    case orphanedExtent
  }

  package var kind: Kind
  package var space: SpaceID?
  package var block: BlockKey?
  package var session: String?
  package var message: String
  /// For a session that lost blocks: the tokens that it can still be resumed with.
  package var wholeTokenCount: Int?
  /// It has a checkpoint, which cannot be cut at a token.
  package var hasCheckpoint = false
  /// For a damaged block: how many sessions hold it, and the first of them by name.
  package var holderCount = 0
  package var holders: [String] = []

  /// Sessions that are named with a damaged block.
  package static let holderLimit = 5

  init(
    _ kind: Kind, space: SpaceID? = nil, block: BlockKey? = nil, session: String? = nil, wholeTokenCount: Int? = nil,
    _ message: String
  ) {
    self.kind = kind
    self.space = space ?? block?.space
    self.block = block
    self.session = session
    self.message = message
    self.wholeTokenCount = wholeTokenCount
  }

  package var description: String {
    let place = block.map { "block \($0): " } ?? session.map { "session \"\($0)\": " } ?? ""
    return place + message
  }
}

extension Finding {
  init(_ problem: AuditProblem) {
    switch problem {
    case .counters(let message): self.init(.record, message)
    case .counter(let counter, let value): self.init(.counters, Self.message(counter, value))
    case .space(let id, let message): self.init(.space, space: id, message)
    case .strayKey(let table, let key): self.init(table, key)
    case .blockRecord(let key, let message): self.init(.record, block: key, message)
    case .blockHash(let key): self.init(.identity, block: key, "its tokens and parent have another hash")
    case .blockShape(let key, let message): self.init(.identity, block: key, message)
    case .orphanedBlock(let key): self.init(.orphanedBlock, block: key, "its parent is not stored")
    case .sessionCount(let key, let counted, let held):
      self.init(.sessionCount, block: key, "\(counted) sessions are counted, \(held) hold it")
    case .missingLink(.child, let key): self.init(.children, block: key, "its parent does not list it")
    case .missingLink(.recency, let key): self.init(.recency, block: key, "the quota cannot find it")
    case .strayChild(let parent, let hash):
      self.init(
        .children, block: BlockKey(space: parent.space, hash: hash),
        "it is listed under \(parent.hash.shortDescription), which is not its parent")
    case .strayRecency(_, let key):
      self.init(.recency, block: key, "the quota finds it where it is not, or although a session holds it")
    case .sharedFrame(let owner, let other, let frame):
      self.init(.frame, owner, "its frame \(frame) is \(Self.name(other))'s too")
    case .incompleteFrame(let owner, let frame, let found):
      let count = ExtentFormat.pieceCount(of: max(frame.byteCount, 1))
      self.init(.frame, owner, "frame \(frame.id) has \(found) of \(count) extents")
    case .damagedFrame(let owner, _, let message): self.init(.frame, owner, message)
    case .orphanedExtent: self.init(.orphanedExtent, "an extent belongs to no frame")
    case .sessionRecord(let key, let message): self.init(.record, space: key.space, session: key.name, message)
    case .sessionSummary(let key, let message): self.init(.sessionRecord, space: key.space, session: key.name, message)
    case .sessionBlocks(let key, let count, let hasCheckpoint, let message):
      self.init(.missingBlock, space: key.space, session: key.name, wholeTokenCount: count, message)
      self.hasCheckpoint = hasCheckpoint
    }
  }

  private init(_ kind: Kind, _ owner: FrameOwner, _ message: String) {
    switch owner {
    case .block(let key): self.init(kind, block: key, message)
    case .body(let key): self.init(.record, space: key.space, session: key.name, "its body: " + message)
    case .checkpoint(let key): self.init(.checkpoint, space: key.space, session: key.name, "its checkpoint: " + message)
    }
  }

  private init(_ table: AuditProblem.KeyedTable, _ key: [UInt8]) {
    let message = "a key of \(key.count) bytes in the table of \(table), which has none like it"
    switch table {
    case .children: self.init(.children, message)
    case .recency: self.init(.recency, message)
    case .extents: self.init(.orphanedExtent, message)
    case .spaces, .blocks, .sessions: self.init(.record, message)
    }
  }

  private static func message(_ counter: AuditProblem.Counter, _ value: UInt64) -> String {
    switch counter {
    case .frame: "frame \(value) exists, and its number was never given"
    case .space: "space \(value) exists, and its number was never given"
    case .revision: "a session has revision \(value), which was never given"
    }
  }

  private static func name(_ owner: FrameOwner) -> String {
    switch owner {
    case .block(let key): "block \(key)"
    case .body(let key), .checkpoint(let key): "session \"\(key.name)\""
    }
  }
}
