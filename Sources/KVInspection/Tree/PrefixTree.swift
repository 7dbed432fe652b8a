import KVBlocks
import KVDiskTier

/// How much of the prefix tree is wanted.
package struct TreeOptions: Sendable {
  /// Levels of nodes below a space that can be asked for: deeper answers would nest too deep to be read by anyone.
  package static let depthLimit = 128

  /// Levels of nodes below a space, 1 to ``depthLimit``.
  package var depth: Int
  /// Children of one node, those of the most bytes; 1 or more.
  package var width: Int
  /// Nodes of the whole answer. The largest come first, whatever their level.
  package var nodeLimit: Int
  /// Nil: all spaces.
  package var space: SpaceID?
  /// Only the nodes that this session goes through; what branches off is summed up.
  package var session: String?
  /// Names of the sessions that end in a node, for each node.
  package var nameLimit: Int
  /// Makes text of a node's first tokens.
  package var text: (@Sendable ([Token]) -> String)?
  /// The words that sessions keep of themselves, where there is no other text, for the nodes that they end in.
  package var wantsSessionText: Bool
  /// Tokens of a node that are made text of.
  package var textTokenLimit: Int

  var wantsTokens: Bool { text != nil }

  package init(
    depth: Int = 8, width: Int = 12, nodeLimit: Int = 4096, space: SpaceID? = nil, session: String? = nil,
    nameLimit: Int = 8, textTokenLimit: Int = 64, wantsSessionText: Bool = false,
    text: (@Sendable ([Token]) -> String)? = nil
  ) {
    self.depth = depth
    self.width = width
    self.nodeLimit = nodeLimit
    self.space = space
    self.session = session
    self.nameLimit = nameLimit
    self.text = text
    self.textTokenLimit = textTokenLimit
    self.wantsSessionText = wantsSessionText
  }
}

/// Who begins with what: the stored prefixes of each space. A node is a run of blocks that follow one another without
/// a branch and without a session's end, so that ten thousand tokens of one prompt are one node.
package struct PrefixTree: Hashable, Sendable {
  /// Sums over blocks.
  package struct Amount: Hashable, Sendable {
    package var blockCount = 0
    package var tokenCount = 0
    /// Bytes of rows, before the codec.
    package var rowByteCount = 0
    /// Bytes of frames, after the codec.
    package var frameByteCount = 0
  }

  package struct Node: Hashable, Sendable {
    /// Of the run: the block nearest to the root, and the one farthest from it. Equal for a run of one block.
    package var first: BlockHash
    package var last: BlockHash
    /// Tokens before the run, from the root.
    package var tokenOffset: Int
    /// The run's own blocks.
    package var own: Amount
    /// The run and all that hangs on it.
    package var subtree: Amount
    /// `subtree`'s frames as a part of all frames in the tree, 0 to 1.
    package var share: Double
    /// Sessions that go through the run: each holds all of its blocks.
    package var sessionCount: Int
    /// Sessions whose last block is the run's last.
    package var endingSessionCount: Int
    /// The first of their names, in order.
    package var endingSessions: [String]
    /// Microseconds since 1970; the latest of the run's blocks.
    package var lastUseMicroseconds: UInt64
    /// The run's parent is not stored: damage, for blocks are stored after their parents.
    package var isStray: Bool
    /// What the first tokens say, where that was asked for and is known.
    package var text: String?
    package var children: [Node]
    /// The children that are not among `children`; nil for none.
    package var other: Other?
  }

  /// Children that are not shown, summed up with all that hangs on them.
  package struct Other: Hashable, Sendable {
    package var childCount: Int
    package var amount: Amount
    package var sessionCount: Int
  }

  package struct Space: Hashable, Sendable {
    package var id: SpaceID
    package var model: String
    package var blockTokenCount: Int
    package var root: BlockHash
    package var amount: Amount
    package var share: Double
    package var sessionCount: Int
    /// Sessions without a token, which end at the root.
    package var emptySessionCount: Int
    /// Sessions whose last block is not stored: they end nowhere in the tree.
    package var lostSessionCount: Int
    package var children: [Node]
    package var other: Other?
  }

  package var spaces: [Space]
  /// All blocks of the spaces shown.
  package var amount: Amount
  package var sessionCount: Int
  /// Blocks whose parent is not stored, and all that hangs on them; counted in `amount`.
  package var strayBlockCount: Int
  /// Records that could not be read, and are counted nowhere else.
  package var damagedBlockCount: Int
  package var damagedSessionCount: Int
  /// Nobody committed while the tree was read.
  package var isOneSnapshot: Bool
}
