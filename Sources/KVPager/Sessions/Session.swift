import KVTiering

/// A sequence with a name: tokens, their blocks, a tail, metadata, an optional checkpoint. ``commit()-5lufu`` makes it
/// survive a restart.
///
/// Thread-safe: changes wait for each other, readers see the state between changes. A session is one process's to
/// change at a time; another process that commits the same name makes this one's next commit a `conflict`.
public final class Session: Sendable {
  public let space: CacheSpace
  let state: Lock<SessionState>
  let gate = SerialGate()

  /// A new session, not yet in the store.
  init(space: CacheSpace, name: String) {
    self.space = space
    var fresh = SessionState(name: name, blockTokenCount: space.layout.blockTokenCount)
    fresh.createdMicroseconds = WallClock.nowMicroseconds()
    state = Lock(fresh)
  }

  /// A committed session.
  init(space: CacheSpace, record: SessionRecord) {
    self.space = space
    let resumed = SessionState(record: record, blockTokenCount: space.layout.blockTokenCount)
    space.store.pager.protect(record.blocks.map { BlockKey(space: space.id, hash: $0) })
    state = Lock(resumed)
  }

  deinit {
    pager.unprotect(keys(state.withLock { $0.table.hashes }))
  }

  var pager: Pager { space.store.pager }
  var layout: BlockLayout { space.layout }

  func keys(_ hashes: some Sequence<BlockHash>) -> [BlockKey] {
    hashes.map { BlockKey(space: space.id, hash: $0) }
  }

  public var name: String { state.withLock { $0.name } }
  /// Tokens whose rows the session holds, committed or not.
  public var tokenCount: Int { state.withLock { $0.tokens.count } }
  public var tokens: [Token] { state.withLock { $0.tokens } }
  /// Blocks, the tail included.
  public var blockCount: Int { state.withLock { $0.table.blockCount + ($0.open == nil ? 0 : 1) } }
  /// The hashes of the sealed blocks, root first: full ones, and the tail once it was committed or leased.
  public var blockHashes: [BlockHash] { state.withLock { $0.table.hashes } }
  /// Whether the store has the session under its name.
  public var isCommitted: Bool { state.withLock { $0.revision != nil } }

  /// Microseconds since 1970, UTC.
  public var createdMicroseconds: UInt64 { state.withLock { $0.createdMicroseconds } }
  /// The last commit; 0 before the first.
  public var updatedMicroseconds: UInt64 { state.withLock { $0.updatedMicroseconds } }

  /// The user's own names and values, stored with the next commit.
  public var metadata: [String: String] {
    get { state.withLock { $0.metadata } }
    set { state.withLock { $0.metadata = newValue } }
  }

  /// When `collectGarbage` may delete the session, microseconds since 1970, UTC; nil: never. Stored with the next
  /// commit.
  public var expiresMicroseconds: UInt64? {
    get { state.withLock { $0.expiresMicroseconds } }
    set { state.withLock { $0.expiresMicroseconds = newValue } }
  }

  /// How the engine's file looked around the rows (`KVInterchange`'s), stored with the next commit. Empty for none.
  public var origin: [UInt8] {
    get { state.withLock { $0.origin } }
    set { state.withLock { $0.origin = newValue } }
  }

  static func validate(name: String) throws(StoreError) {
    // What a key on disk has room for.
    guard (1...255).contains(name.utf8.count) else {
      throw .invalidArgument("a session's name of \(name.utf8.count) bytes; give 1 to 255 bytes of UTF-8")
    }
    guard !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw .invalidArgument("a session's name with a control character; give printable text")
    }
  }
}
