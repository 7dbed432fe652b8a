import CKVPager
import KVPager

// kvpager.h, "Session": its life, its tokens and rows. What is around them is in Sessions+Record.swift.

@c @implementation
public func kvpager_session_create(
  _ space: kvpager_space, _ name: UnsafePointer<CChar>!, _ prefix: kvpager_prefix, _ tokens: UnsafePointer<Int32>!,
  _ token_count: Int64, _ session: UnsafeMutablePointer<kvpager_session>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(session, "session")
    let name = try Argument.text(name, "name")
    result.pointee = try HandleTable.use(space, as: OpenSpace.self) { open in
      let tokens = try Argument.optionalTokens(tokens, token_count)
      guard prefix != 0 else {
        return try HandleTable.add(OpenSession(try open.space.createSession(named: name), open.scope))
      }
      return try HandleTable.use(prefix, as: OpenPrefix.self) { found in
        guard found.space.id == open.space.id, found.scope === open.scope else {
          throw StoreError.invalidArgument("the prefix was found in another cache space")
        }
        guard tokens?.starts(with: found.prefix.tokens) ?? true else {
          throw StoreError.invalidArgument("tokens do not begin with the prefix's \(found.prefix.tokens.count) tokens")
        }
        let session = try found.space.createSession(named: name, startingWith: found.prefix.tokens, from: found.prefix)
        return try HandleTable.add(OpenSession(session, open.scope))
      }
    }
  }
}

@c @implementation
public func kvpager_session_resume(
  _ store: kvpager_store, _ name: UnsafePointer<CChar>!, _ session: UnsafeMutablePointer<kvpager_session>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(session, "session")
    let name = try Argument.text(name, "name")
    result.pointee = try HandleTable.use(store, as: OpenStore.self) {
      try HandleTable.add(OpenSession(try $0.store.session(named: name), $0.scope))
    }
  }
}

@c @implementation
public func kvpager_session_space(
  _ session: kvpager_session, _ space: UnsafeMutablePointer<kvpager_space>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(space, "space")
    result.pointee = try HandleTable.use(session, as: OpenSession.self) {
      try HandleTable.add(OpenSpace($0.session.space, $0.scope))
    }
  }
}

@c @implementation
public func kvpager_session_tokens(
  _ session: kvpager_session, _ tokens: UnsafeMutablePointer<Int32>!, _ capacity: Int64,
  _ count: UnsafeMutablePointer<Int64>!
) -> kvpager_status {
  answering {
    let answer = try TokenAnswer(tokens, capacity, count)
    try HandleTable.use(session, as: OpenSession.self) { try answer.give($0.session.tokens) }
  }
}

@c @implementation
public func kvpager_session_append(
  _ session: kvpager_session, _ tokens: UnsafePointer<Int32>!, _ token_count: Int64,
  _ planes: UnsafePointer<kvpager_rows>!, _ plane_count: Int64, _ sharing: kvpager_sharing
) -> kvpager_status {
  answering {
    let sharing = try Argument.sharing(sharing)
    try HandleTable.use(session, as: OpenSession.self) { open in
      let tokens = try Argument.tokens(tokens, token_count)
      let rows = try PlaneTable(
        planes, count: plane_count, layout: open.session.space.layout, rowCount: tokens.count, needsAll: true)
      try open.changing { try $0.append(tokens, sharing: sharing) { rows.write(to: $0) } }
    }
  }
}

@c @implementation
public func kvpager_session_take_state(
  _ session: kvpager_session, _ state: kvpager_state, _ sharing: kvpager_sharing
) -> kvpager_status {
  answering {
    let sharing = try Argument.sharing(sharing)
    try HandleTable.use(session, as: OpenSession.self) { open in
      try HandleTable.use(state, as: OpenState.self) { source in
        try open.changing { try $0.take(source.state, sharing: sharing) }
      }
    }
  }
}

@c @implementation
public func kvpager_session_read(
  _ session: kvpager_session, _ first: Int64, _ count: Int64, _ planes: UnsafePointer<kvpager_rows>!,
  _ plane_count: Int64
) -> kvpager_status {
  answering {
    try HandleTable.use(session, as: OpenSession.self) { open in
      try open.reading { session in
        let range = try Argument.range(first, count, of: session.tokenCount)
        let rows = try PlaneTable(
          planes, count: plane_count, layout: session.space.layout, rowCount: range.count, needsAll: false)
        _ = try rows.read(range) { (tokens, destinations) throws(StoreError) in
          try session.read(tokens: tokens, into: destinations)
          return tokens.count
        }
      }
    }
  }
}

@c @implementation
public func kvpager_session_prefetch(_ session: kvpager_session) -> kvpager_status {
  answering { try HandleTable.use(session, as: OpenSession.self) { try $0.reading { try $0.prefetch() } } }
}

@c @implementation
public func kvpager_session_commit(_ session: kvpager_session) -> kvpager_status {
  answering { try HandleTable.use(session, as: OpenSession.self) { try $0.reading { try $0.commit() } } }
}

@c @implementation
public func kvpager_session_fork(
  _ session: kvpager_session, _ name: UnsafePointer<CChar>!, _ token_count: Int64,
  _ fork: UnsafeMutablePointer<kvpager_session>!
) -> kvpager_status {
  answering {
    let result = try Argument.result(fork, "fork")
    let name = try Argument.text(name, "name")
    result.pointee = try HandleTable.use(session, as: OpenSession.self) { open in
      let fork = try open.reading {
        try $0.fork(named: name, tokenCount: try Argument.cut(token_count, of: $0.tokenCount))
      }
      return try HandleTable.add(OpenSession(fork, open.scope))
    }
  }
}

@c @implementation
public func kvpager_session_truncate(_ session: kvpager_session, _ token_count: Int64) -> kvpager_status {
  answering {
    try HandleTable.use(session, as: OpenSession.self) { open in
      try open.changing { try $0.truncate(to: try Argument.count(token_count, "token_count")) }
    }
  }
}

@c @implementation
public func kvpager_session_close(_ session: kvpager_session) -> kvpager_status {
  answering {
    guard session != 0 else { return }
    _ = try HandleTable.remove(session, as: OpenSession.self)
  }
}

/// Where token ids go that a call asks for.
struct TokenAnswer {
  private let buffer: AnswerBuffer
  private let count: UnsafeMutablePointer<Int64>

  init(
    _ tokens: UnsafeMutablePointer<Int32>?, _ capacity: Int64, _ count: UnsafeMutablePointer<Int64>?
  ) throws(StoreError) {
    self.count = try Argument.result(count, "count")
    buffer = try AnswerBuffer(tokens, capacity: capacity, elementByteCount: MemoryLayout<Token>.stride)
  }

  func give(_ tokens: [Token]) throws {
    count.pointee = Int64(tokens.count)
    let bytes = try buffer.bytes(tokens.count * MemoryLayout<Token>.stride)
    tokens.withUnsafeBytes { bytes?.copyMemory(from: $0) }
  }
}
