import KVBlocks
import KVPager

extension Simulation {
  func perform(_ step: Step) throws {
    switch step {
    case .create(let name, let prefix): try create(name, prefix: prefix)
    case .append(let name, let tokens): try append(name, tokens)
    case .commit(let name): try commit(name)
    case .fork(let name, let newName, let tokenCount): try fork(name, newName, tokenCount)
    case .truncate(let name, let fraction): try truncate(name, fraction)
    case .rename(let name, let newName): try rename(name, newName)
    case .delete(let name): try delete(name)
    case .discard(let name): discard(name)
    case .resume(let name): try resume(name)
    case .lookUp(let tokens): try lookUp(tokens)
    case .read(let name): try read(name)
    case .lease(let name): try lease(name)
    case .prefetch(let name): try sessions[name]?.prefetch()
    case .writeBack: try store.writeBack()
    case .collectGarbage: _ = try store.collectGarbage()
    case .reopen: try reopen()
    }
  }

  private func discard(_ name: String) {
    sessions[name] = nil
    model.live[name] = nil
  }

  private func create(_ name: String, prefix tokens: [Token]) throws {
    guard sessions[name] == nil else { return }
    guard model.committed[name] == nil else {
      do {
        _ = try space.createSession(named: name)
        throw failure("\(name) was made twice")
      } catch let error as StoreError where error.code == .alreadyExists {
        return
      }
    }
    let prefix = try space.longestPrefix(of: tokens)
    let found = prefix.tokenCount
    let session = try space.createSession(named: name, startingWith: tokens, from: prefix)
    sessions[name] = session
    model.live[name] = Array(tokens[..<found])
    try append(name, Array(tokens[found...]))
  }

  private func append(_ name: String, _ tokens: [Token]) throws {
    guard let session = sessions[name], let before = model.live[name] else { return }
    let wanted = before + tokens
    let states = rows.states(of: wanted)
    model.everAppended.insert(wanted)
    defer {
      // What a failed append completed stays: the session says how much.
      let count = session.tokenCount
      model.live[name] = Array(wanted[..<min(count, wanted.count)])
    }
    try session.append(tokens) { writer in
      let range = writer.tokens.lowerBound + before.count..<writer.tokens.upperBound + before.count
      for plane in rows.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rows.fill($0, plane: plane, states: states[range]) }
      }
    }
    try require(session.tokenCount == wanted.count, "\(name) has \(session.tokenCount) tokens for \(wanted.count)")
  }

  private func commit(_ name: String) throws {
    guard let session = sessions[name], let tokens = model.live[name] else { return }
    try session.commit()
    model.committed[name] = tokens
  }

  private func fork(_ name: String, _ newName: String, _ tokenCount: Int?) throws {
    guard let session = sessions[name], let tokens = model.live[name] else { return }
    guard sessions[newName] == nil, model.committed[newName] == nil else { return }
    let count = min(tokenCount ?? tokens.count, tokens.count)
    sessions[newName] = try session.fork(named: newName, tokenCount: tokenCount == nil ? nil : count)
    model.live[newName] = Array(tokens[..<count])
  }

  private func truncate(_ name: String, _ fraction: Int) throws {
    guard let session = sessions[name], let tokens = model.live[name] else { return }
    let count = tokens.count * fraction / 100
    try session.truncate(to: count)
    model.live[name] = Array(tokens[..<count])
  }

  private func rename(_ name: String, _ newName: String) throws {
    guard let session = sessions[name], name != newName else { return }
    guard sessions[newName] == nil, model.committed[newName] == nil else { return }
    try session.rename(to: newName)
    sessions[newName] = sessions.removeValue(forKey: name)
    model.live[newName] = model.live.removeValue(forKey: name)
    if let tokens = model.committed.removeValue(forKey: name) { model.committed[newName] = tokens }
  }

  private func delete(_ name: String) throws {
    guard model.committed[name] != nil else { return }
    discard(name)
    try space.deleteSession(named: name)
    model.committed[name] = nil
  }

  private func resume(_ name: String) throws {
    guard sessions[name] == nil, let tokens = model.committed[name] else { return }
    let session = try space.session(named: name)
    try require(session.tokens == tokens, "\(name) came back with other tokens")
    sessions[name] = session
    model.live[name] = tokens
  }

  private func lookUp(_ tokens: [Token]) throws {
    let prefix = try space.longestPrefix(of: tokens)
    let (least, most) = (model.guaranteedPrefix(of: tokens), model.possiblePrefix(of: tokens))
    try require(prefix.tokenCount >= least, "a prefix of \(prefix.tokenCount) tokens where sessions hold \(least)")
    try require(prefix.tokenCount <= most, "a prefix of \(prefix.tokenCount) tokens where \(most) were ever stored")
    let states = rows.states(of: tokens)
    for plane in rows.layout.planes.indices {
      let size = rows.layout.planes[plane].rowByteCount * prefix.tokenCount
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
      defer { bytes.deallocate() }
      let count = try prefix.gather(plane: plane, into: bytes)
      try require(count == prefix.tokenCount, "a prefix lost blocks between look-up and read")
      try require(
        rows.matches(UnsafeRawBufferPointer(bytes), plane: plane, states: states[..<count]),
        "plane \(plane) of a prefix has other rows")
    }
  }

  private func read(_ name: String) throws {
    guard let session = sessions[name], let tokens = model.live[name] else { return }
    try checkRows(of: session, tokens: tokens)
  }

  func checkRows(of session: Session, tokens: [Token]) throws {
    let states = rows.states(of: tokens)
    for plane in rows.layout.planes.indices {
      let size = rows.layout.planes[plane].rowByteCount * tokens.count
      try withUnsafeTemporaryAllocation(byteCount: max(size, 1), alignment: 64) { buffer in
        let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
        try session.gather(plane: plane, into: bytes)
        try require(
          rows.matches(UnsafeRawBufferPointer(bytes), plane: plane, states: states[...]),
          "plane \(plane) of \(session.name) has other rows")
      }
    }
  }

  private func lease(_ name: String) throws {
    guard let session = sessions[name], let tokens = model.live[name] else { return }
    let states = rows.states(of: tokens)
    // As many blocks as the budget may hold beside open tails.
    let count = min(tokens.count, max(1, setup.budgetBlockCount - 2) * setup.layout.blockTokenCount)
    let lease = try session.lease(tokens: 0..<count)
    try require(lease.tokenCount == count, "a lease of \(lease.tokenCount) tokens for \(count)")
    for block in 0..<lease.blockCount {
      let expected = states[lease.tokenRange(ofBlock: block)]
      for plane in rows.layout.planes.indices {
        let isRight = lease.withPlane(plane, ofBlock: block) { span in
          span.withUnsafeBytes { rows.matches($0, plane: plane, states: expected) }
        }
        try require(isRight, "plane \(plane) of block \(block) of \(name) has other rows")
      }
    }
  }
}
