import KVBlocks
import KVCodec
import SafeLMDB

/// Records held against themselves and their space.
extension Tables {
  static let missingSpace = "its record is missing"

  static func spaceProblem(_ value: RawSpan, id: SpaceID) throws(StoreError) -> AuditProblem? {
    do throws(StoreError) {
      let space = try SpaceFormat.decode(value, id: id)
      // A salvaged space may have lost what its root was made of.
      guard space.fingerprint.isPlaceholder || space.fingerprint.rootHash(layout: space.layout) == space.root else {
        return .space(id, "its fingerprint and layout have another root")
      }
      return nil
    } catch  where error.code == .damaged {
      return .space(id, error.message)
    }
  }

  /// A block's record: its head, nil where it cannot be read, and its tokens' digest.
  /// - Parameter space: nil where there is no such space.
  static func examine(
    _ value: RawSpan, _ key: BlockKey, space: SpaceRecord?
  ) throws(StoreError) -> (head: BlockHead?, tokenDigest: UInt64, AuditProblem?) {
    let record: BlockRecord
    do throws(StoreError) {
      record = try BlockFormat.decode(value, key: key)
    } catch  where error.code == .damaged {
      return (nil, 0, .blockRecord(key, error.message))
    }
    let digest = record.tokens.withUnsafeBytes { StoredChecksum.xxh3($0) }
    return (BlockHead(record), digest, problem(of: record, space: space))
  }

  private static func problem(of record: BlockRecord, space: SpaceRecord?) -> AuditProblem? {
    let hash = ChainHash.hash(parent: record.parent, tokens: record.tokens, encodedExtra: record.encodedExtra)
    guard hash == record.key.hash else { return .blockHash(record.key) }
    guard let space else { return .blockShape(record.key, "its cache space does not exist") }
    guard (1...space.layout.blockTokenCount).contains(record.tokens.count) else {
      return .blockShape(
        record.key, "it has \(record.tokens.count) tokens, in a space of \(space.layout.blockTokenCount) a block")
    }
    guard space.layout.payloadByteCount(tokenCount: record.tokens.count) == record.payloadByteCount else {
      return .blockShape(record.key, "it counts \(record.payloadByteCount) bytes of rows, which is not its layout's")
    }
    return nil
  }

  /// Where a session's summary and its body differ; nil where they do not.
  static func difference(_ summary: SessionSummary, _ body: SessionBody, root: BlockHash?) -> String? {
    let record = body.record
    if let root, body.root != root { return "its body names another root than its space's" }
    if summary.tokenCount != record.tokens.count {
      return "it is listed with \(summary.tokenCount) tokens and has \(record.tokens.count)"
    }
    if summary.blockCount != record.blocks.count {
      return "it is listed with \(summary.blockCount) blocks and has \(record.blocks.count)"
    }
    if summary.checkpoint != body.checkpoint { return "it is listed with another checkpoint than it has" }
    if summary.createdMicroseconds != record.createdMicroseconds
      || summary.updatedMicroseconds != record.updatedMicroseconds
      || summary.expiresMicroseconds != record.expiresMicroseconds
    {
      return "it is listed with other times than it has"
    }
    // A rename keeps the revision of both; nothing else may tell them apart.
    return summary.revision == record.revision ? nil : "it is listed with another revision than it has"
  }

  /// The first block at which a session's chain is not whole, as the store is now; nil where all of it is.
  /// - Parameter isBroken: blocks known to be lost although their records can be read.
  func chainProblem(
    _ key: SessionKey, _ view: borrowing TransactionView, isBroken: (BlockKey) -> Bool
  ) throws(StoreError) -> AuditProblem? {
    let record: SessionRecord
    let root: BlockHash
    func problem(_ count: Int, _ message: String) -> AuditProblem {
      .sessionBlocks(
        key, wholeTokenCount: count, hasCheckpoint: record.checkpointByteCount > 0, message)
    }
    do throws(StoreError) {
      guard let (summary, inline) = try sessionSummary(key.space, key.name, view) else { return nil }
      record = try sessionBody(summary, inline: inline, view).record
      // That its space is missing is a finding that speaks for all of it.
      guard let space = try space(key.space, view) else { return nil }
      root = space.root
    } catch  where error.code == .damaged {
      return nil
    }
    var parent = root
    var start = 0
    for (index, hash) in record.blocks.enumerated() {
      let block = BlockKey(space: key.space, hash: hash)
      if let message = try linkProblem(block, parent: parent, record.tokens[start...], view, isBroken: isBroken) {
        return problem(
          start, "whole up to token \(start) of \(record.tokens.count): block \(index + 1), \(block), \(message)")
      }
      start += try blockHead(block, view)?.tokenCount ?? 0
      parent = hash
    }
    guard start == record.tokens.count else {
      return problem(start, "whole up to token \(start) of \(record.tokens.count), where its blocks end")
    }
    return nil
  }

  private func linkProblem(
    _ key: BlockKey, parent: BlockHash, _ tokens: ArraySlice<Token>, _ view: borrowing TransactionView,
    isBroken: (BlockKey) -> Bool
  ) throws(StoreError) -> String? {
    do throws(StoreError) {
      guard let record = try blockRecord(key, view) else { return "is not stored" }
      guard record.parent == parent else { return "does not follow the one before" }
      guard tokens.starts(with: record.tokens) else { return "has other tokens" }
      return isBroken(key) ? "is damaged" : nil
    } catch  where error.code == .damaged {
      return "has a damaged record"
    }
  }
}

extension BlockHead {
  init(_ record: BlockRecord) {
    self.init(
      parent: record.parent, frame: record.frame, frameChecksum: record.frameChecksum,
      payloadByteCount: record.payloadByteCount, sessionCount: record.sessionCount,
      lastUseMicroseconds: record.lastUseMicroseconds, tokenCount: record.tokens.count,
      hitCount: UInt16(clamping: record.hitCount))
  }
}
