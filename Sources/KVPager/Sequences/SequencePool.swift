import KVTiering

/// The sequences in flight of one cache space, for an engine that runs many at once: their blocks come from the store's
/// RAM budget, a token at a time, are shared by sequences that begin alike, and are given back one by one. Nothing is
/// reserved for tokens that may never come.
///
/// Safe to use from several threads; one sequence is one thread's at a time.
public final class SequencePool: Sendable {
  public let space: CacheSpace
  let ledger: Lock<SequenceLedger>

  public init(_ space: CacheSpace) {
    self.space = space
    ledger = Lock(SequenceLedger(blockTokenCount: space.layout.blockTokenCount))
  }

  /// What the pool's sequences take now.
  public var accounting: SequenceAccounting { ledger.withLock { $0.accounting } }

  /// An empty sequence, which takes nothing yet.
  public func start() throws(StoreError) -> RunningSequence {
    try space.store.checkWritable()
    return RunningSequence(pool: self)
  }

  /// A sequence that begins with a stored prefix: its blocks are loaded where they are on disk, and shared; equal rows
  /// inside a further block are copied. Where a block was lost since the look-up, the sequence ends before it: see its
  /// ``RunningSequence/tokenCount``.
  /// - Throws: `poolExhausted` where the frames do not fit beside those in use.
  public func start(from prefix: borrowing Prefix) throws(StoreError) -> RunningSequence {
    precondition(prefix.space === space, "the prefix comes from another cache space")
    let sequence = try start()
    try sequence.adopt(tokens: prefix.tokens, keys: prefix.keys)
    return sequence
  }
}
