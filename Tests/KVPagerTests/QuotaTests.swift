import KVPager
import KVSimulation
import Testing

@Suite struct QuotaTests {
  @Test func `the quota deletes unreferenced blocks and never a session's`() throws {
    let rig = try Rig(blockTokenCount: 16, rowByteCount: 1024)
    let store = try rig.open(blocks: 8, quotaBytes: 6 << 20)
    let space = try rig.space(store)
    let kept = try space.createSession(named: "kept")
    try rig.append(tokens(0..<320), to: kept)
    try kept.commit()
    // Far more cache than fits: sessions that are never committed.
    for round in 1..<20 {
      let passing = try space.createSession(named: "passing")
      try rig.append(tokens(10_000 * round..<10_000 * round + 320), to: passing)
      try store.writeBack()
    }
    let disk = try store.statistics().disk
    #expect(disk.usedBytes <= 6 << 20)
    #expect(disk.fileBytes <= (6 << 20) + (6 << 20) / 10)
    #expect(disk.uniqueBlockCount < 20 * 20)
    #expect(try rig.isWhole(kept))
    #expect(try store.audit().isEmpty)
  }

  @Test func `sessions that fill the quota are refused with the remedy, and deleting one makes room`() throws {
    let rig = try Rig(blockTokenCount: 16, rowByteCount: 1024)
    let store = try rig.open(blocks: 8, quotaBytes: 4 << 20)
    let space = try rig.space(store)
    var committed: [String] = []
    var refusal: StoreError?
    for number in 0..<40 where refusal == nil {
      let session = try space.createSession(named: "s\(number)")
      do {
        try rig.append(tokens(10_000 * number..<10_000 * number + 160), to: session)
        try session.commit()
        committed.append(session.name)
      } catch let error as StoreError {
        refusal = error
      }
    }
    #expect(refusal?.code == .quotaFull)
    #expect(refusal?.message.contains("delete") == true)
    #expect(committed.count > 1)
    for name in committed { #expect(try rig.isWhole(store.session(named: name))) }
    for name in committed.prefix(committed.count / 2) { try store.deleteSession(named: name) }
    let again = try space.createSession(named: "again")
    try rig.append(tokens(900_000..<900_160), to: again)
    try again.commit()
    #expect(try rig.isWhole(again))
    for name in committed.dropFirst(committed.count / 2) { #expect(try rig.isWhole(store.session(named: name))) }
    #expect(try store.audit().isEmpty)
  }
}
