/// The number a store gives one cache space. Two spaces never share a block.
public struct SpaceID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (a: SpaceID, b: SpaceID) -> Bool { a.rawValue < b.rawValue }
  public var description: String { String(rawValue) }
}

/// Where a block is found in a store: its space and its hash.
public struct BlockKey: Hashable, Sendable, CustomStringConvertible {
  public let space: SpaceID
  public let hash: BlockHash

  public init(space: SpaceID, hash: BlockHash) {
    self.space = space
    self.hash = hash
  }

  public var description: String { "\(space)/\(hash.shortDescription)" }

  /// Pagers look keys up by the thousand: one word goes through the hasher, not two.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(hash.words.0 ^ (UInt64(space.rawValue) &* 0x9e37_79b9_7f4a_7c15))
  }
}
