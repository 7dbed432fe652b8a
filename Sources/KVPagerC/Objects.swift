import KVInterchange
import KVPager

// What handles stand for.

final class OpenStore: HandledObject {
  static let kind = HandleKind.store
  let store: Store
  let scope = CallScope()

  init(_ store: Store) { self.store = store }
}

final class OpenSpace: HandledObject {
  static let kind = HandleKind.space
  let space: CacheSpace
  let scope: CallScope

  init(_ space: CacheSpace, _ scope: CallScope) {
    self.space = space
    self.scope = scope
  }
}

final class OpenPrefix: HandledObject {
  static let kind = HandleKind.prefix
  let prefix: Prefix
  let space: CacheSpace
  let scope: CallScope

  init(_ prefix: consuming Prefix, _ space: CacheSpace, _ scope: CallScope) {
    self.prefix = prefix
    self.space = space
    self.scope = scope
  }
}

/// A session, and the lock that keeps its tokens as they are while a call reads them.
final class OpenSession: HandledObject {
  static let kind = HandleKind.session
  let session: Session
  let scope: CallScope
  private let lock = SharedLock()

  init(_ session: Session, _ scope: CallScope) {
    self.session = session
    self.scope = scope
  }

  func changing<R>(_ body: (Session) throws -> R) throws -> R { try lock.exclusive { try body(session) } }

  /// Runs `body` while nobody changes the session. Reading seals an open tail, which is a change: alone then.
  func reading<R>(_ body: (Session) throws -> R) throws -> R {
    let shared: R? = try lock.shared { hasOpenTail ? nil : try body(session) }
    if let shared { return shared }
    return try lock.exclusive { try body(session) }
  }

  private var hasOpenTail: Bool { session.blockCount > session.blockHashes.count }
}

/// An engine's state. A scope of its own: its bytes are the caller's, who takes them back when it is closed.
final class OpenState: HandledObject {
  static let kind = HandleKind.state
  let state: any ImportedState
  let source: ByteSource
  let scope = CallScope()

  init(_ state: any ImportedState, _ source: ByteSource) {
    self.state = state
    self.source = source
  }
}
