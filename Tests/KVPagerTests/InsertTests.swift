import Foundation
import KVPager
import KVSimulation
import Testing

@Suite struct InsertTests {
  private func insert(_ tokens: [Token], _ rig: Rig, _ store: Store) throws {
    let states = rig.rows.states(of: tokens)
    try rig.space(store).insert(tokens) { writer in
      for plane in rig.layout.planes.indices {
        writer.withUnsafeRows(ofPlane: plane) { rig.rows.fill($0, plane: plane, states: states[writer.tokens]) }
      }
    }
  }

  private func isWhole(_ prefix: borrowing Prefix, _ rig: Rig) throws -> Bool {
    let states = rig.rows.states(of: prefix.tokens)
    var planes = rig.layout.planes.map { [UInt8](repeating: 0, count: prefix.tokenCount * $0.rowByteCount) }
    for plane in planes.indices {
      let copied = try planes[plane].withUnsafeMutableBytes {
        try prefix.read(into: [PlaneDestination(plane: plane, bytes: $0)])
      }
      guard copied == prefix.tokenCount else { return false }
    }
    return planes.indices.allSatisfy { plane in
      planes[plane].withUnsafeBytes { rig.rows.matches($0, plane: plane, states: states[...]) }
    }
  }

  @Test func `what is inserted is found again after a restart, the short last block too, without a session`() throws {
    let rig = try Rig()
    let first = try rig.open(blocks: 4)
    try insert(tokens(0..<43), rig, first)
    #expect(try rig.space(first).longestPrefix(of: tokens(0..<60)).tokenCount == 43)
    try first.writeBack()
    try first.close()
    let second = try rig.open(blocks: 4)
    #expect(try second.sessions().isEmpty)
    let prefix = try rig.space(second).longestPrefix(of: tokens(0..<60))
    #expect(prefix.tokens == tokens(0..<43))
    #expect(try isWhole(prefix, rig))
  }

  @Test func `what is inserted gives way to the quota and never refuses`() throws {
    let rig = try Rig(blockTokenCount: 16, rowByteCount: 512, layerCount: 4)
    let store = try rig.open(blocks: 4, quotaBytes: 1 << 20)
    for round in 0..<40 { try insert(tokens(round * 1000..<round * 1000 + 64), rig, store) }
    try store.writeBack()
    let disk = try store.statistics().disk
    #expect(disk.usedBytes <= 1 << 20)
    #expect(try rig.space(store).longestPrefix(of: tokens(39_000..<39_064)).tokenCount == 64)
    #expect(try rig.space(store).longestPrefix(of: tokens(0..<64)).tokenCount < 64)
  }

  @Test func `a conversation that is inserted as it grows leaves no trail of short blocks`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 4)
    for end in [3, 5, 11, 14, 21, 29] {
      try insert(tokens(0..<end), rig, store)
      try store.writeBack()
      #expect(try store.statistics().disk.uniqueBlockCount == (end + 7) / 8)
    }
    // In one batch too, and where the prompt goes on in another way nothing is lost.
    try insert(tokens(0..<31), rig, store)
    try insert(tokens(0..<26) + tokens(90..<93), rig, store)
    try insert(tokens(0..<32), rig, store)
    try store.writeBack()
    #expect(try store.statistics().disk.uniqueBlockCount == 5)
    let other = try rig.space(store).longestPrefix(of: tokens(0..<26) + tokens(90..<99))
    #expect(other.tokenCount == 29)
    #expect(try isWhole(other, rig))
  }

  @Test func `a short block that a session has, or a prefix holds, stays when a longer one comes`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 8)
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<11), to: session)
    try session.commit()
    try insert(tokens(50..<61), rig, store)
    try store.writeBack()
    let held = try rig.space(store).longestPrefix(of: tokens(50..<61))
    try insert(tokens(0..<16), rig, store)
    try insert(tokens(50..<66), rig, store)
    try store.writeBack()
    #expect(try store.statistics().disk.uniqueBlockCount == 6)
    #expect(try isWhole(held, rig))
    #expect(try rig.isWhole(rig.space(store).session(named: "chat")))
  }

  @Test func `all planes are read at one time, from RAM and from disk`() throws {
    let rig = try Rig()
    let store = try rig.open(blocks: 3)
    try insert(tokens(0..<70), rig, store)
    let prefix = try rig.space(store).longestPrefix(of: tokens(0..<70))
    let range = 5..<69
    let states = rig.rows.states(of: tokens(0..<70))
    let sizes = rig.layout.planes.map { $0.rowByteCount * range.count }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: sizes.reduce(0, +), alignment: 64)
    defer { memory.deallocate() }
    var start = 0
    let destinations = sizes.indices.map { plane in
      defer { start += sizes[plane] }
      return PlaneDestination(
        plane: plane, bytes: UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + sizes[plane]]))
    }
    // Some blocks are in RAM, the others are not: three frames for nine blocks.
    #expect(try prefix.read(tokens: range, into: destinations.reversed()) == range.count)
    for destination in destinations {
      let rows = UnsafeRawBufferPointer(destination.bytes)
      #expect(rig.rows.matches(rows, plane: destination.plane, states: states[range]))
    }
    let statistics = store.memoryStatistics
    #expect(statistics.memoryHitCount > 0 && statistics.planeReadCount > 0)
    #expect(statistics.memoryHitCount + statistics.planeReadCount / rig.layout.planes.count == 9)
  }

  @Test func `tokens that are not there are refused`() throws {
    let rig = try Rig()
    let store = try rig.open()
    try insert(tokens(0..<20), rig, store)
    let session = try rig.space(store).createSession(named: "chat")
    try rig.append(tokens(0..<20), to: session)
    let error = #expect(throws: StoreError.self) { try session.read(tokens: 3..<21, into: []) }
    #expect(error?.code == .invalidArgument)
    let prefix = try rig.space(store).longestPrefix(of: tokens(0..<20))
    do {
      _ = try prefix.read(tokens: 3..<21, into: [])
      Issue.record("21 tokens of 20 were read")
    } catch {
      #expect(error.code == .invalidArgument)
    }
  }

  @Test func `the longest checkpoint that begins a token list is found, and none that differs or is longer`() throws {
    let rig = try Rig()
    let store = try rig.open()
    let space = try rig.space(store)
    for (name, range) in [("short", 0..<10), ("long", 0..<25), ("longer", 0..<40), ("other", 5..<30)] {
      let session = try space.createSession(named: name)
      try rig.append(tokens(range), to: session)
      session.setCheckpoint([1, 2, 3])
      try session.commit()
    }
    let plain = try space.createSession(named: "plain")
    try rig.append(tokens(0..<30), to: plain)
    try plain.commit()
    #expect(try space.longestCheckpoint(within: tokens(0..<39)) == "long")
    #expect(try space.longestCheckpoint(within: tokens(0..<40)) == "longer")
    #expect(try space.longestCheckpoint(within: tokens(0..<9)) == nil)
    #expect(try space.longestCheckpoint(within: tokens(1..<100)) == nil)
    #expect(try space.longestCheckpoint(within: []) == nil)
  }

  @Test func `a damaged session hides no other one's checkpoint`() throws {
    let rig = try Rig()
    do {
      let store = try rig.open()
      let space = try rig.space(store)
      // The long one's body does not lie in its record, which stays whole.
      for (name, range) in [("short", 0..<10), ("long", 0..<3000)] {
        let session = try space.createSession(named: name)
        try rig.append(tokens(range), to: session)
        session.setCheckpoint([1, 2, 3])
        try session.commit()
      }
      #expect(try space.longestCheckpoint(within: tokens(0..<3500)) == "long")
      try store.close()
    }
    try damageBody(ofSession: "long", in: rig)
    let space = try rig.space(try rig.open())
    let error = #expect(throws: StoreError.self) { try space.session(named: "long") }
    #expect(error?.code == .damaged)
    #expect(try space.longestCheckpoint(within: tokens(0..<3500)) == "short")
  }

  /// Changes a byte in every copy of a session's body that lies in the store's file.
  private func damageBody(ofSession name: String, in rig: Rig) throws {
    let path = URL(filePath: rig.path).appending(path: "data.mdb")
    var file = try Data(contentsOf: path)
    var from = file.startIndex
    while let magic = file.range(of: Data("KVSESSN1".utf8), in: from..<file.endIndex) {
      // The name stands 164 bytes after the body's start, the magic 4.
      let start = magic.lowerBound + 160
      if file[start...].starts(with: name.utf8) { file[start + name.utf8.count] ^= 1 }
      from = magic.upperBound
    }
    try file.write(to: path)
  }
}
