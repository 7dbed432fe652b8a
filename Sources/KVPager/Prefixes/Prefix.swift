import KVTiering

/// What a store holds of a token list: the longest chain of blocks from the root, and the equal rows of a block after
/// it.
///
/// While it lives, its blocks are not deleted by this process's quota. It pins nothing in RAM: take a ``lease()`` for
/// that, or ``gather(plane:tokens:into:)`` rows, which needs no frame for blocks that lie on disk.
public struct Prefix: ~Copyable, Sendable {
  /// Tokens whose rows are stored: the full blocks' and those of a partly equal block.
  public var tokenCount: Int { tokens.count }
  /// Full blocks that match.
  public let fullBlockCount: Int
  /// Of the matching blocks, how many are in RAM now. The others are on disk.
  public let memoryBlockCount: Int
  /// The matching tokens.
  public let tokens: [Token]
  let space: CacheSpace
  /// The full blocks, then perhaps the partly equal one.
  let keys: [BlockKey]

  /// `keys` are protected by the caller already; the prefix gives the protection back.
  init(space: CacheSpace, tokens: [Token], fullBlockCount: Int, memoryBlockCount: Int, keys: [BlockKey]) {
    self.space = space
    self.tokens = tokens
    self.fullBlockCount = fullBlockCount
    self.memoryBlockCount = memoryBlockCount
    self.keys = keys
  }

  deinit { space.store.pager.unprotect(keys) }

  public var blockCount: Int { keys.count }
  /// Tokens that match inside a block which is not wholly equal; 0 where the prefix ends with a block.
  public var partialTokenCount: Int { tokenCount - fullBlockCount * space.layout.blockTokenCount }

  /// Loads what is on disk and pins all blocks. A block lost since the look-up ends the lease early: look at its
  /// `tokenCount`.
  /// - Throws: `poolExhausted` where the blocks do not fit into the RAM budget beside what is pinned already.
  public func lease() throws(StoreError) -> BlockLease {
    try space.store.checkUsable()
    let pinned = try space.store.pager.pin(keys, layout: space.layout)
    let whole = pinned.count == keys.count
    return BlockLease(
      layout: space.layout, tokenCount: whole ? tokenCount : pinned.count * space.layout.blockTokenCount, pinned: pinned
    )
  }

  /// Copies the rows of one plane over `tokens` (all by default) into the caller's memory, token-major.
  /// - Returns: the tokens copied: fewer than asked for where a block was lost since the look-up.
  /// - Precondition: `destination` has `tokens.count * rowByteCount` bytes.
  public func gather(
    plane: Int, tokens: Range<Int>? = nil, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> Int {
    try read(tokens: tokens, into: [PlaneDestination(plane: plane, bytes: destination)])
  }

  /// Copies the rows of several planes over `tokens` (all by default) into the caller's memory, token-major: faster
  /// than plane by plane, since each block is looked up once.
  /// - Returns: the tokens copied: fewer than asked for where a block was lost since the look-up.
  /// - Precondition: each destination has `tokens.count * rowByteCount` bytes.
  public func read(tokens: Range<Int>? = nil, into destinations: [PlaneDestination]) throws(StoreError) -> Int {
    try space.store.checkUsable()
    let tokens = tokens ?? 0..<tokenCount
    guard tokens.lowerBound >= 0, tokens.upperBound <= tokenCount else {
      throw .invalidArgument("tokens \(tokens) of a prefix of \(tokenCount)")
    }
    return try space.read(tokens: tokens, of: keys, into: destinations)
  }

  /// Starts loading the blocks into free frames, without waiting and without pinning.
  public func prefetch() { space.store.pager.prefetch(keys, layout: space.layout) }
}
