import KVBlocks
import KVDiskTier

/// A session with its tokens and blocks.
package struct SessionDetail: Hashable, Sendable {
  package var facts: SessionFacts
  package var tokens: [Token]
  package var blocks: [SessionBlockFacts]
}

extension SessionDetail: JSONConvertible {
  package var json: JSONValue {
    var members = facts.members
    members["tokenIDs"] = .array(tokens.map { .integer(Int($0)) })
    members["blockTable"] = JSONValue(blocks)
    return .object(members)
  }
}
