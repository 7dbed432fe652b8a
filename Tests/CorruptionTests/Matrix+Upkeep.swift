import KVBlocks
import KVInspection
import Testing

@testable import KVDiskTier

/// Repairs and collections of damaged stores: what could be read before can be read after, and what is whole comes
/// back.
extension Matrix {
  func checkUpkeep(
    _ damage: Damage, _ bytes: [UInt8], _ folder: ScratchFolder, _ expectation: Expectation, number: Int
  ) throws {
    guard !damage.mayGoBack else { return }
    let path = try folder.store(bytes, named: "mended")
    guard let before = readable(path) else { return }
    // Every other store is collected first: a repair finds what it needs all the same.
    if number % 2 == 1 {
      try collect(path)
      let after = readable(path) ?? []
      #expect(after.isSuperset(of: before), "\(damage.name): a collection loses \(Self.names(before, after))")
    }
    guard try repair(path) else { return }
    let after = readable(path) ?? []
    #expect(after.isSuperset(of: before), "\(damage.name): a repair loses \(Self.names(before, after))")
    let whole = expectation.arePagesWhole ? expectation.wholeSessions : []
    #expect(after.isSuperset(of: whole), "\(damage.name): a repair does not bring back \(Self.names(whole, after))")
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly, mapSizeBytes: 1 << 30))
    defer { tier.close() }
    for key in store.deleted {
      #expect(try tier.session(space: key.space, name: key.name) == nil, "\(damage.name): \(key.name) was deleted")
    }
  }

  private static func names(_ wanted: Set<SessionKey>, _ found: Set<SessionKey>) -> [String] {
    wanted.subtracting(found).map(\.name).sorted()
  }

  private func collect(_ path: String) throws {
    let tier = try DiskTier(path: path, options: DiskTierOptions(mapSizeBytes: 1 << 30))
    defer { tier.close() }
    do throws(StoreError) {
      _ = try tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    } catch {
      #expect(error.code == .damaged, "\(error.code) \(error)")
    }
  }

  /// False where the store is not to be repaired.
  private func repair(_ path: String) throws -> Bool {
    let inspector = StoreInspector(path: path)
    let report = try inspector.verify(deep: true)
    guard report.isUsable else { return false }
    _ = try inspector.repair(report, cutsSessions: false)
    return true
  }

  /// Sessions that are all that they were, each block's bytes included; nil where the store does not open.
  private func readable(_ path: String) -> Set<SessionKey>? {
    do throws(StoreError) {
      let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly, mapSizeBytes: 1 << 30))
      defer { tier.close() }
      var frames: [BlockKey: Bool] = [:]
      for key in store.live.values.flatMap({ state in
        state.record.blocks.map { BlockKey(space: state.record.space, hash: $0) }
      }) where frames[key] == nil {
        frames[key] = Self.isEqual(try? tier.frameBytes(of: key), store.frames[key])
      }
      var whole: Set<SessionKey> = []
      for (key, state) in store.live where isWhole(state, key, tier) {
        let blocks = state.record.blocks.map { BlockKey(space: key.space, hash: $0) }
        if blocks.allSatisfy({ frames[$0] == true }) { whole.insert(key) }
      }
      return whole
    } catch {
      return nil
    }
  }

  private static func isEqual(_ a: [UInt8]?, _ b: [UInt8]?) -> Bool { a != nil && a == b }

  private func isWhole(_ state: WholeStore.State, _ key: SessionKey, _ tier: DiskTier) -> Bool {
    do throws(StoreError) {
      guard let record = try tier.session(space: key.space, name: key.name), Self.isEqual(record, state.record)
      else { return false }
      return try tier.checkpoint(space: key.space, name: key.name) == state.checkpoint
    } catch {
      return false
    }
  }
}
