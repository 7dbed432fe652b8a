import KVBlocks

// The veneer: each call is its synchronous twin on a thread that may block. `~Copyable` results travel in a box,
// because a continuation carries copyable values only.

private final class Box<Value: ~Copyable & Sendable>: Sendable {
  private let value: Lock<Value?>

  init(_ value: consuming sending Value) { self.value = Lock(consume value) }

  func take() -> Value? { value.withLock { $0.take() } }
}

extension CacheSpace {
  /// `longestPrefix(of:)` without blocking the caller's executor.
  public func longestPrefix(of tokens: [Token]) async throws -> Prefix {
    let box = try await blocking { Box(try self.longestPrefix(of: tokens)) }
    guard let prefix = box.take() else { preconditionFailure("a result is taken once") }
    return prefix
  }

  /// `session(named:)` without blocking the caller's executor.
  public func session(named name: String) async throws -> Session {
    try await blocking { try self.session(named: name) }
  }
}

extension Session {
  /// `commit()` without blocking the caller's executor.
  public func commit() async throws {
    try await blocking { try self.commit() }
  }

  /// `lease(tokens:)` without blocking the caller's executor.
  public func lease(tokens: Range<Int>? = nil) async throws -> BlockLease {
    let box = try await blocking { Box(try self.lease(tokens: tokens)) }
    guard let lease = box.take() else { preconditionFailure("a result is taken once") }
    return lease
  }

  /// `append` without blocking the caller's executor; `rows` runs on another thread.
  public func append(
    _ tokens: [Token], sharing: BlockSharing = .byIdentity,
    rows: @escaping @Sendable (borrowing RowWriter) throws -> Void
  ) async throws {
    try await blocking { try self.append(tokens, sharing: sharing, rows: rows) }
  }
}

extension Store {
  /// `writeBack()` without blocking the caller's executor.
  public func writeBack() async throws {
    try await blocking { try self.writeBack() }
  }

  /// `close()` without blocking the caller's executor.
  public func close() async throws {
    try await blocking { try self.close() }
  }
}
