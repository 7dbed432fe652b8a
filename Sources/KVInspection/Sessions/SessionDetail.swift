import KVBlocks
import KVDiskTier

/// A session with its tokens, its blocks and those it shares them with.
package struct SessionDetail: Hashable, Sendable {
  /// Another session that begins with the same blocks.
  package struct Sharing: Hashable, Sendable {
    package var name: String
    package var blockCount: Int
    /// Tokens of those blocks.
    package var tokenCount: Int
  }

  package var facts: SessionFacts
  package var space: SpaceRecord?
  package var tokens: [Token]
  package var blocks: [SessionBlockFacts]
  /// Sessions that share blocks with it, those that share most first; the largest of them.
  package var sharing: [Sharing] = []
  /// All of them.
  package var sharingCount = 0

  /// Tokens of a last block that is not full; 0 where it is.
  package var tailTokenCount: Int {
    guard let last = blocks.last, let space, last.tokenCount < space.layout.blockTokenCount else { return 0 }
    return last.tokenCount
  }
}

extension SessionDetail: JSONConvertible {
  package var json: JSONValue { .object(members) }

  /// With what the session's tokens say: a member more, null where that is not known.
  package func json(withText text: String?) -> JSONValue {
    .object(members.merging(["text": JSONValue(text)]) { $1 })
  }

  private var members: [String: JSONValue] {
    var members = facts.members
    members["model"] = JSONValue(space?.fingerprint.model)
    members["blockTokens"] = space.map { .integer($0.layout.blockTokenCount) } ?? .null
    members["tailTokens"] = .integer(tailTokenCount)
    members["tokenIDs"] = .array(tokens.map { .integer(Int($0)) })
    members["blockTable"] = JSONValue(blocks)
    members["sharing"] = [
      "sessions": .integer(sharingCount),
      "largest": .array(
        sharing.map {
          ["name": .string($0.name), "blocks": .integer($0.blockCount), "tokens": .integer($0.tokenCount)]
        }),
    ]
    return members
  }
}
