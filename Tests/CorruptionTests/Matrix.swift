import Foundation
import KVBlocks
import KVInspection
import Testing

@testable import KVDiskTier

/// Damages the store, asks everyone, and holds the answers to what the map of the file says.
struct Matrix: Sendable {
  static let shared: Matrix = {
    do {
      return Matrix(fields: try FieldMap(PageMap(WholeStore.shared.bytes)))
    } catch {
      // Because: without it no test of this target means anything, and none can be failed in its place.
      fatalError("the map of the matrix cannot be made: \(error)")
    }
  }()

  let fields: FieldMap
  var store: WholeStore { .shared }

  func run(_ damage: Damage, number: Int, folder: ScratchFolder) throws {
    var bytes = store.bytes
    damage.change(&bytes)
    let expectation = Expectation(bytes, fields, store)
    let path = try folder.store(bytes)
    checkVerdict(damage, path, expectation)
    checkReaders(damage, path, expectation, number: number)
    let isAsItWas = try Data(contentsOf: URL(fileURLWithPath: "\(path)/data.mdb")) == Data(bytes)
    #expect(isAsItWas, "\(damage.name): readers change nothing")
    try checkUpkeep(damage, bytes, folder, expectation, number: number)
    try checkSalvage(damage, path, folder, expectation, number: number)
  }

  // MARK: verify

  static let refusals: Set<StoreError.Code> = [.damaged, .notAStore, .versionTooNew, .foreignByteOrder]

  private func checkVerdict(_ damage: Damage, _ path: String, _ expectation: Expectation) {
    let name = damage.name
    do throws(StoreError) {
      let report = try StoreInspector(path: path).verify(deep: true)
      let said = report.findings.prefix(8).map { "\($0.kind): \($0.description)" }
      #expect(report.findings.allSatisfy { !$0.message.isEmpty && !$0.remedy.isEmpty }, "\(name)")
      if expectation.isHarmless { #expect(report.isSound, "\(name): nothing that is read was hit, but \(said)") }
      if expectation.isFindable, !damage.mayGoBack { #expect(!report.isSound, "\(name): verify finds nothing") }
      guard !expectation.hitsStructure else { return }
      #expect(report.isUsable, "\(name): single records do not close the store: \(said)")
      for (owner, kinds) in expectation.objects {
        // Without its record nothing in a space can be read: that finding speaks for all of it.
        if let space = owner.space, owner != .space(space), expectation.objects[.space(space)] != nil { continue }
        let isNamed = report.findings.contains { kinds.contains($0.kind) && Self.names($0, owner) }
        #expect(isNamed, "\(name): no finding of \(kinds) names \(owner): \(said)")
      }
    } catch {
      #expect(expectation.hitsStructure && Self.refusals.contains(error.code), "\(name): \(error.code) \(error)")
    }
  }

  private static func names(_ finding: VerifyFinding, _ owner: FieldMap.Owner) -> Bool {
    switch owner {
    case .block(let key): finding.block == key
    case .session(let key): finding.session == key.name && (finding.space == nil || finding.space == key.space)
    case .space(let id): finding.space == id
    case .store: finding.block == nil && finding.session == nil
    }
  }

  // MARK: readers

  /// Whoever reads the store says what was stored, or refuses.
  private func checkReaders(_ damage: Damage, _ path: String, _ expectation: Expectation, number: Int) {
    let name = damage.name
    do throws(StoreError) {
      let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly, mapSizeBytes: 1 << 30))
      defer { tier.close() }
      for (key, state) in store.live {
        checkSession(key, damage.mayGoBack ? store.history[key] ?? [] : [state], tier, name)
      }
      var numbers = SeededNumbers(seed: UInt64(number))
      let some = (0..<6).compactMap { _ in store.frames.keys.randomElement(using: &numbers) }
      for key in expectation.touchedBlocks.prefix(40) + some { checkBlock(key, tier, name) }
    } catch {
      #expect(expectation.hitsStructure, "\(name): the store does not open: \(error)")
      #expect(Self.refusals.contains(error.code), "\(name): \(error.code) \(error)")
    }
    let inspector = StoreInspector(path: path)
    func ask<R>(_ question: () throws(StoreError) -> R) {
      do throws(StoreError) { _ = try question() } catch { #expect(!error.message.isEmpty, "\(name)") }
    }
    ask { () throws(StoreError) in try inspector.info() }
    switch number % 4 {
    case 0: ask { () throws(StoreError) in try inspector.statistics() }
    case 1: ask { () throws(StoreError) in try inspector.sessions() }
    case 2: ask { () throws(StoreError) in try inspector.tree() }
    default: ask { () throws(StoreError) in try inspector.blocks(BlockQuery()) }
    }
  }

  private func checkSession(_ key: SessionKey, _ states: [WholeStore.State], _ tier: DiskTier, _ name: String) {
    do throws(StoreError) {
      guard let record = try tier.session(space: key.space, name: key.name) else { return }
      let meant = states.filter { Self.isEqual(record, $0.record) }
      #expect(!meant.isEmpty, "\(name): \(key.name) reads as another")
      guard let checkpoint = try tier.checkpoint(space: key.space, name: key.name) else { return }
      #expect(meant.contains { $0.checkpoint == checkpoint }, "\(name): \(key.name) has another checkpoint")
    } catch {
      #expect(error.code == .damaged || error.code == .notFound, "\(name): \(key.name): \(error.code) \(error)")
    }
  }

  /// Rows come out right or not at all.
  private func checkBlock(_ key: BlockKey, _ tier: DiskTier, _ name: String) {
    guard let layout = store.spaces[key.space]?.layout, let whole = store.frames[key] else { return }
    let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: layout.frameByteCount, alignment: 64)
    defer { rows.deallocate() }
    do throws(StoreError) {
      let outcome = try tier.load(key, layout: layout, into: rows)
      guard case .loaded(let count) = outcome else { return }
      guard let expected = Rows.decode(whole, key, layout) else {
        Issue.record("the store's own block \(key) does not decode")
        return
      }
      for plane in layout.planes.indices {
        let range = layout.byteRange(ofPlane: plane, rows: 0..<count)
        #expect(rows[range].elementsEqual(expected[range]), "\(name): block \(key) has wrong bytes")
      }
    } catch {
      #expect(error.code == .damaged, "\(name): block \(key): \(error.code) \(error)")
    }
  }

  static func isEqual(_ a: SessionRecord, _ b: SessionRecord) -> Bool {
    var a = a
    a.revision = b.revision
    return a == b
  }

  // MARK: salvage

  private func checkSalvage(
    _ damage: Damage, _ path: String, _ folder: ScratchFolder, _ expectation: Expectation, number: Int
  ) throws {
    let name = damage.name
    let new = "\(folder.path)/new"
    try? FileManager.default.removeItem(atPath: new)
    let report: RawStoreReport
    do throws(StoreError) {
      report = try StoreSalvage.run(
        from: path, to: new, options: SalvageOptions(isPartial: number % 2 == 1),
        tierOptions: DiskTierOptions(mapSizeBytes: 1 << 30))
    } catch {
      #expect(error.code == .notAStore && expectation.wholeSessions.isEmpty, "\(name): \(error.code) \(error)")
      #expect(!FileManager.default.fileExists(atPath: new), "\(name): a failed salvage leaves something behind")
      return
    }
    let whole = Set(report.sessions.filter(\.isWhole).map { SessionKey(space: $0.space, name: $0.name) })
    let missed = expectation.wholeSessions.subtracting(whole).map(\.name).sorted()
    let reasons = report.sessions.filter { missed.contains($0.name) }.map { "\($0.name): \($0.fate) \($0.reason)" }
    #expect(missed.isEmpty, "\(name): whole bytes that do not come back: \(missed) \(reasons)")
    guard report.isWritten else {
      #expect(whole.isEmpty && !FileManager.default.fileExists(atPath: new), "\(name)")
      return
    }
    let verdict = try StoreInspector(path: new).verify(deep: true)
    #expect(verdict.isSound, "\(name): the new store: \(verdict.findings.prefix(5).map(\.description))")
    let tier = try DiskTier(path: new, options: DiskTierOptions(access: .readOnly, mapSizeBytes: 1 << 30))
    defer { tier.close() }
    for session in report.sessions { try checkSalvaged(session, tier, name) }
    #expect(try tier.sessionSummaries().count == report.sessions.count { $0.fate != .lost }, "\(name)")
    for key in try tier.allBlockKeys() {
      guard let frame = store.frames[key] else { continue }
      #expect(try tier.frameBytes(of: key) == frame, "\(name): block \(key) came back as another")
    }
    guard expectation.isTreeWhole else { return }
    for key in store.deleted {
      #expect(try tier.session(space: key.space, name: key.name) == nil, "\(name): \(key.name) was deleted")
    }
  }

  private func checkSalvaged(_ session: RawStoreReport.Session, _ tier: DiskTier, _ name: String) throws {
    let key = SessionKey(space: session.space, name: session.name)
    let states = store.history[key] ?? []
    let record = try tier.session(space: key.space, name: key.name)
    let checkpoint = record == nil ? nil : try tier.checkpoint(space: key.space, name: key.name)
    switch session.fate {
    case .lost: #expect(record == nil, "\(name): \(key.name) is called lost")
    case .whole where store.live[key] != nil && session.revision == store.live[key]?.record.revision:
      #expect(record.map { Self.isEqual($0, store.live[key]!.record) } == true, "\(name): \(key.name) is not as it was")
      #expect(checkpoint == store.live[key]?.checkpoint, "\(name): \(key.name) has another checkpoint")
    case .whole, .older:
      let isKnown = states.contains { state in
        record.map { Self.isEqual($0, state.record) } == true && checkpoint == state.checkpoint
      }
      #expect(isKnown, "\(name): \(key.name), \(session.fate), was never so")
    case .partial:
      let isPrefix = states.contains { state in
        guard let record else { return false }
        return state.record.tokens.starts(with: record.tokens) && state.record.blocks.starts(with: record.blocks)
          && state.record.origin == record.origin && checkpoint == nil && !record.blocks.isEmpty
      }
      #expect(isPrefix, "\(name): \(key.name) is no beginning of what it was")
    }
  }
}
