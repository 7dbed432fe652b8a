import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

struct RepairTests {
  /// A store of sessions that share prefixes, of cached blocks that no session holds, of long and short bodies.
  struct Planted {
    let store: TestStore
    /// Tokens of each session, as they were committed.
    var sessions: [String: [Token]] = [:]

    init() throws {
      store = try TestStore()
      for index in 0..<8 {
        let count = [5, 40, 64, 100, 150, 200, 500, 90][index]
        let own = tokens(0..<count).map { $0 < 48 ? $0 : $0 + Token(1000 * (index / 2)) }
        try store.store(store.chain(own), base: UInt64(1000 * index))
        let checkpoint: SessionOperation.CheckpointChange = index % 3 == 0 ? .replace([1, 2, 3, UInt8(index)]) : .keep
        let outcome = try store.commit(store.put("session \(index)", own, checkpoint: checkpoint))
        guard case .done? = outcome.first else { throw TestFailure("\(outcome)") }
        sessions["session \(index)"] = own
      }
      for index in 0..<5 { try store.store(store.chain(tokens(0..<60, offset: 20_000 * (index + 1)))) }
      guard try store.tier.audit(deep: true).isEmpty else { throw TestFailure("unsound from the start") }
    }

    /// Sessions that are just as they were, each block's rows included.
    func untouched() throws -> Set<String> {
      var names: Set<String> = []
      for (name, tokens) in sessions where try isWhole(name, tokens) { names.insert(name) }
      return names
    }

    private func isWhole(_ name: String, _ tokens: [Token]) throws -> Bool {
      do throws(StoreError) {
        guard let record = try store.tier.session(space: store.space.id, name: name), record.tokens == tokens,
          record.blocks == store.chain(tokens).map(\.key.hash)
        else { return false }
        if record.checkpointByteCount > 0 {
          guard try store.tier.checkpoint(space: store.space.id, name: name)?.prefix(3) == [1, 2, 3] else {
            return false
          }
        }
      } catch {
        return false
      }
      return try store.chain(tokens).allSatisfy { try store.isWhole($0) }
    }

    func repair(cutsSessions: Bool) throws -> RepairReport {
      let report = try store.tier.audit(deep: true, findingLimit: .max)
      return try store.tier.repair(report.suspects, cutsSessions: cutsSessions)
    }
  }

  @Test(arguments: PlantedDamage.allCases)
  func `one thing of each kind is found, and set right`(damage: PlantedDamage) throws {
    for seed in 0..<4 as Range<UInt64> {
      let planted = try Planted()
      var random = SeededNumbers(seed: seed)
      try damage.plant(in: planted.store.tier, &random)
      try check(planted, "\(damage), seed \(seed)")
    }
  }

  @Test(arguments: 0..<48 as Range<UInt64>)
  func `several at a time are set right, and what they do not touch stays as it is`(seed: UInt64) throws {
    let planted = try Planted()
    var random = SeededNumbers(seed: seed &* 77)
    var comment = "seed \(seed):"
    for _ in 0..<Int.random(in: 2...7, using: &random) {
      guard let damage = PlantedDamage.allCases.randomElement(using: &random) else { continue }
      comment += " \(damage)"
      try damage.plant(in: planted.store.tier, &random)
    }
    try check(planted, comment, cutsAtOnce: seed % 2 == 1)
  }

  private func check(_ planted: Planted, _ comment: String, cutsAtOnce: Bool = false) throws {
    let tier = planted.store.tier
    let whole = try planted.untouched()
    let done = try cutsAtOnce ? RepairReport() : checkKept(planted, whole, comment)
    // One that cuts leaves nothing.
    var cut = try planted.repair(cutsSessions: true)
    if cut.restoredSpaceCount > 0 { cut = try planted.repair(cutsSessions: true) }
    let rest = try tier.audit(deep: true)
    #expect(rest == [], "\(comment): \(rest) \(done) \(cut)")
    #expect(try planted.untouched().isSuperset(of: whole), "\(comment): a whole session was cut")
    for cut in cut.cuts {
      let tokens = try #require(planted.sessions[cut.name])
      let record = try #require(try tier.session(space: cut.space, name: cut.name))
      #expect(record.tokens == Array(tokens.prefix(cut.newTokenCount)), "\(comment)")
      #expect(record.tokens.count == cut.newTokenCount && cut.newTokenCount < cut.oldTokenCount, "\(comment)")
      for block in planted.store.chain(record.tokens) { #expect(try planted.store.isWhole(block), "\(comment)") }
    }
    #expect(try planted.repair(cutsSessions: true).didNothing, "\(comment): a second repair finds nothing to do")
    // The store goes on working.
    try planted.store.store(planted.store.chain(tokens(0..<40, offset: 900_000)))
    #expect(try planted.store.commit(planted.store.put("new", tokens(0..<40, offset: 900_000))).count == 1)
    #expect(try tier.audit(deep: true) == [], "\(comment): after a commit")
  }

  private func checkKept(_ planted: Planted, _ whole: Set<String>, _ comment: String) throws -> RepairReport {
    let tier = planted.store.tier
    let found = try tier.audit(deep: true)
    // A repair that keeps sessions leaves what they lost, and nothing else.
    let done = try planted.repair(cutsSessions: false)
    #expect(found.isEmpty == done.didNothing || found.allSatisfy { Self.concernsSessions($0) }, "\(comment): \(found)")
    // Frames of a space without its record were not looked at.
    if done.restoredSpaceCount > 0 { _ = try planted.repair(cutsSessions: false) }
    let left = try tier.audit(deep: true)
    #expect(left.allSatisfy { Self.concernsSessions($0) }, "\(comment): \(left)")
    #expect(try planted.untouched().isSuperset(of: whole), "\(comment): a whole session was touched")
    for (name, tokens) in planted.sessions {
      // Kept as it was, or its record was beyond reading, perhaps under another name.
      let record = try? tier.session(space: planted.store.space.id, name: name)
      let isTold = done.deletedEntryCount > 0 || done.droppedSessions.contains { $0.dropFirst() == name.dropFirst() }
      #expect(record?.tokens == tokens || isTold, "\(comment): \(name)")
    }
    return done
  }

  /// What a session lost, and the damaged blocks that it still holds.
  private static func concernsSessions(_ finding: Finding) -> Bool {
    switch finding.kind {
    case .missingBlock, .checkpoint: true
    default: finding.holderCount > 0
    }
  }
}
