import KVBlocks

// Invariants: `committed` is what a store must give back after any crash; `live` is what open sessions hold beyond
// that.

/// What a store should hold, as plain dictionaries.
package struct ReferenceModel: Sendable {
  package var committed: [String: [Token]] = [:]
  package var live: [String: [Token]] = [:]
  /// Every token list that was ever appended: a prefix found must begin one of them.
  package var everAppended: Set<[Token]> = []

  package init() {}

  /// The least that `longestPrefix(of:)` must find: sessions' blocks are never deleted.
  package func guaranteedPrefix(of tokens: [Token]) -> Int {
    committed.values.map { Self.commonPrefix($0, tokens) }.max() ?? 0
  }

  /// The most it may find.
  package func possiblePrefix(of tokens: [Token]) -> Int {
    everAppended.map { Self.commonPrefix($0, tokens) }.max() ?? 0
  }

  /// Distinct blocks that the committed sessions refer to: by identity, a tail being a block of its own.
  package func uniqueBlockCount(blockTokenCount: Int) -> Int {
    var prefixes: Set<[Token]> = []
    for tokens in committed.values {
      for end in stride(from: blockTokenCount, through: tokens.count, by: blockTokenCount) {
        prefixes.insert(Array(tokens[..<end]))
      }
      if tokens.count % blockTokenCount > 0 { prefixes.insert(tokens) }
    }
    return prefixes.count
  }

  package func blockReferenceCount(blockTokenCount: Int) -> Int {
    committed.values.reduce(0) { $0 + ($1.count + blockTokenCount - 1) / blockTokenCount }
  }

  package static func commonPrefix(_ a: [Token], _ b: [Token]) -> Int {
    zip(a, b).prefix { $0 == $1 }.count
  }
}
