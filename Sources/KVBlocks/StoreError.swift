/// An operating error: what went wrong, the remedy in the same sentence, and the cause underneath.
///
/// After any of them reads still work and nothing committed is lost. A miss is never an error.
public struct StoreError: Error, Sendable, Hashable {
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// An argument's value cannot be meant; the message names it.
    case invalidArgument
    /// No such session, space, block or store.
    case notFound
    /// A session of that name exists.
    case alreadyExists
    /// Another process changed the session since it was resumed.
    case conflict
    /// The RAM budget does not hold one block of the space's layout.
    case budgetTooSmall
    /// More blocks are pinned at one time than the pool has frames.
    case poolExhausted
    /// What sessions hold, and what is to be stored, does not fit the disk quota.
    case quotaFull
    /// The disk is full.
    case diskFull
    /// The environment's map is full.
    case mapFull
    /// The operating system refuses access.
    case permissionDenied
    /// The store is open for reading only.
    case readOnly
    /// A newer kvpager wrote the store.
    case versionTooNew
    /// A machine of the other byte order wrote the store.
    case foreignByteOrder
    /// The file is damaged: `kvpager verify` says where; what still reads can be exported, or a copy brought back.
    case damaged
    /// The path holds something, but no kvpager store.
    case notAStore
    /// The store is open already in this process, or too many readers use it.
    case busy
    /// A block that a session needs is gone from both tiers.
    case blockLost
    /// The store was closed.
    case closed
    /// The process is a fork()ed child of the one that opened the store.
    case forked
    /// The operating system reported an error that is none of the above.
    case inputOutput
  }

  public let code: Code
  /// What is wrong and what helps, for people.
  public let message: String
  /// The underlying error's own words, where there is one.
  public let cause: String?

  public init(_ code: Code, _ message: String, cause: String? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }

  public static func invalidArgument(_ message: String) -> StoreError { StoreError(.invalidArgument, message) }
}

extension StoreError: CustomStringConvertible {
  public var description: String { cause.map { "\(message) (\($0))" } ?? message }
}
