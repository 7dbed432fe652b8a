import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier

struct AuditInUseTests {
  /// Changes everything that an audit looks at: sessions come, grow, go and change their names, blocks come and go.
  private final class Writer {
    let store: TestStore
    var random: SeededNumbers
    var sessions: [String: [Token]] = [:]
    private var next = 0

    init(_ store: TestStore, seed: UInt64) {
      self.store = store
      random = SeededNumbers(seed: seed)
    }

    func change() throws {
      next += 1
      switch Int.random(in: 0..<6, using: &random) {
      case 0 where !sessions.isEmpty:
        guard let name = sessions.keys.sorted().randomElement(using: &random) else { return }
        sessions[name] = nil
        _ = try store.commit(.delete(space: store.space.id, name: name))
      case 1 where !sessions.isEmpty:
        // From the end of the listing to its beginning, or the other way.
        guard let name = sessions.keys.sorted().randomElement(using: &random) else { return }
        let other = (name.hasPrefix("a") ? "z" : "a") + " \(next)"
        sessions[other] = sessions.removeValue(forKey: name)
        _ = try store.commit(.rename(space: store.space.id, from: name, to: other))
      case 2:
        let deleted = try store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
          var keeper = QuotaKeeper(tables: store.tier.tables, targetPageCount: 0, deletionLimit: 5)
          _ = try keeper.run(&transaction, isProtected: { _ in false })
          return keeper.deletedBlockCount
        }
        #expect(deleted <= 5)
      default:
        let base = 500 * Int.random(in: 0..<4, using: &random)
        let own = tokens(0..<Int.random(in: 1..<400, using: &random), offset: base)
        let name = (Bool.random(using: &random) ? "a" : "z") + " \(next)"
        try store.store(store.chain(own), base: UInt64(next))
        _ = try store.commit(
          store.put(name, own, checkpoint: next % 2 == 0 ? .replace([7, UInt8(next & 0xff)]) : .keep))
        sessions[name] = own
      }
    }
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `a store that is changed between all its snapshots has no findings`(seed: UInt64) throws {
    let store = try TestStore()
    let writer = Writer(store, seed: seed)
    for _ in 0..<12 { try writer.change() }
    var (callCount, failure) = (0, nil as (any Error)?)
    for round in 0..<6 {
      let report = try store.tier.audit(deep: round % 2 == 0, findingLimit: .max) { progress in
        callCount += 1
        #expect(progress.doneByteCount <= progress.totalByteCount)
        do { for _ in 0..<3 { try writer.change() } } catch { failure = error }
      }
      #expect(report.findings == [], "seed \(seed), round \(round)")
      #expect(!report.isOneSnapshot)
    }
    #expect(failure == nil && callCount > 24)
    #expect(try store.tier.audit(deep: true) == [])
  }

  @Test func `what is wrong is found all the same`() throws {
    // What bears a number that is still to be given may be another process's work until nobody works.
    for damage in PlantedDamage.allCases where ![.extentStray, .extentMoved].contains(damage) {
      let planted = try RepairTests.Planted()
      var random = SeededNumbers(seed: 5)
      try damage.plant(in: planted.store.tier, &random)
      let atRest = Set(try planted.store.tier.audit(deep: true).map(\.kind))
      // Damaged counters refuse every commit.
      guard !atRest.isEmpty, damage != .countersByte else { continue }
      var next = 0
      let inUse = try planted.store.tier.audit(deep: true, findingLimit: .max) { _ in
        next += 1
        let name = "new \(next)"
        _ = try? planted.store.commit(planted.store.put(name, []))
      }
      // A count that is about to be given again is past that by then.
      #expect(Set(inUse.findings.map(\.kind)) == atRest || damage == .countersTooLow, "\(damage)")
    }
  }

  @Test func `findings of a kind are counted beyond those that are named`() throws {
    let planted = try RepairTests.Planted()
    let tables = planted.store.tier.tables
    try planted.store.tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      for key in try PlantedDamage.keys(of: tables.recency, TransactionView(transaction)) {
        try transaction.remove(key, in: tables.recency)
      }
    }
    let report = try planted.store.tier.audit(deep: false, findingLimit: 3)
    let count = try #require(report.counts[.recency])
    #expect(count > 3 && report.findings.count == 3 && report.counts.count == 1)
    #expect(try planted.repair(cutsSessions: false).correctedLinkCount == count)
    #expect(try planted.store.tier.audit(deep: true) == [])
  }
}
