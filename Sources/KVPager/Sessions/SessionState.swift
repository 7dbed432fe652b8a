import KVTiering

// Invariants:
// - `table` covers `tokens[..<table.tokenCount]`; `open` holds the rows of the last block's tokens that are not sealed.
// - Without an open tail, `table.tokenCount == tokens.count`. With one, `table` holds full blocks only, and the open
//   tail holds the rows of `tokens[table.tokenCount...]`: at least 1, and a whole block only where it could not be
//   sealed yet.
// - Every hash in `table` is protected in the pager, once a session.

/// What a session knows, changed by one thread at a time (`SerialGate`), read by all under the session's `Lock`.
struct SessionState: ~Copyable, Sendable {
  var name: String
  var tokens: [Token] = []
  var table: BlockTable
  var open: OpenFrame?
  /// How the open tail meets an equal block: by content once any of its rows came so.
  var openSharing = BlockSharing.byIdentity
  var metadata: [String: String] = [:]
  var expiresMicroseconds: UInt64?
  var origin: [UInt8] = []
  var checkpoint: SessionOperation.CheckpointChange = .keep
  /// Counts changes of `checkpoint`, so that a commit tells one made while it was under way.
  var checkpointChangeCount = 0
  var checkpointByteCount = 0
  var createdMicroseconds: UInt64 = 0
  var updatedMicroseconds: UInt64 = 0
  /// The committed record's revision; nil before the first commit.
  var revision: UInt64?

  init(name: String, blockTokenCount: Int) {
    self.name = name
    table = BlockTable(blockTokenCount: blockTokenCount)
  }

  init(record: SessionRecord, blockTokenCount: Int) {
    name = record.name
    tokens = record.tokens
    table = BlockTable(blockTokenCount: blockTokenCount, hashes: record.blocks, tokenCount: record.tokens.count)
    metadata = record.metadata
    expiresMicroseconds = record.expiresMicroseconds
    origin = record.origin
    checkpointByteCount = record.checkpointByteCount
    createdMicroseconds = record.createdMicroseconds
    updatedMicroseconds = record.updatedMicroseconds
    revision = record.revision
  }

  func assertInvariants() {
    if open == nil {
      precondition(table.tokenCount == tokens.count, "sealed blocks cover all tokens")
    } else {
      precondition(table.tailTokenCount == 0, "an open tail follows full blocks")
      precondition((1...table.blockTokenCount).contains(tokens.count - table.tokenCount), "an open tail is one block")
    }
  }
}
