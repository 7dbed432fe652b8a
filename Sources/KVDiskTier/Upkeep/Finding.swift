import KVBlocks

/// Something that a sound store does not have.
package struct Finding: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// A record that cannot be read.
    case record
    /// A frame with missing, foreign or failing pieces.
    case frame
    /// A block that is not what its key says.
    case identity
    /// A session count that is not what the sessions' block tables add up to.
    case sessionCount
    /// A block without its parent.
    case orphanedBlock
    /// A session without one of its blocks.
    case missingBlock
    /// `children` disagrees with `blocks`.
    case children
    /// `recency` disagrees with `blocks`.
    case recency
    /// An extent of no frame.
    case orphanedExtent
    /// A checkpoint that cannot be read.
    case checkpoint
    /// A number that was about to be given a second time.
    case counters
  }

  package var kind: Kind
  package var block: BlockKey?
  package var session: String?
  package var message: String

  init(_ kind: Kind, block: BlockKey? = nil, session: String? = nil, _ message: String) {
    self.kind = kind
    self.block = block
    self.session = session
    self.message = message
  }

  package var description: String {
    let place = block.map { "block \($0): " } ?? session.map { "session \"\($0)\": " } ?? ""
    return place + message
  }
}
