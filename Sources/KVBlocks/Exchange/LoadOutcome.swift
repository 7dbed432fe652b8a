/// What the disk tier answers when asked for a block's rows.
package enum LoadOutcome: Hashable, Sendable {
  /// The rows of this many tokens are in the caller's memory, verified.
  case loaded(tokenCount: Int)
  /// Not stored. Never an error.
  case absent
  /// Stored, but its checksum or identity fails: counts as a miss. The text says what was wrong.
  case damaged(String)
}

/// A stored child of a block: what a prefix that ends inside a block looks for.
package struct StoredChild: Hashable, Sendable {
  package let hash: BlockHash
  package let tokens: [Token]

  package init(hash: BlockHash, tokens: [Token]) {
    self.hash = hash
    self.tokens = tokens
  }
}
