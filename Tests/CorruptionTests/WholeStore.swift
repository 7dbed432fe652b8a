import Foundation
import KVBlocks

@testable import KVDiskTier

/// A small store with every kind of page and record: spaces short and long, sessions short and long, tails,
/// checkpoints, frames of several pieces, trees with branches, overflow runs, freed pages full of remains.
final class WholeStore: Sendable {
  /// A session's state as it was committed.
  struct State: Hashable, Sendable {
    var record: SessionRecord
    var checkpoint: [UInt8]?
  }

  static let shared: WholeStore = {
    // Because: without it no test of this target means anything, and none can be failed in its place.
    do { return try WholeStore() } catch { fatalError("the store of the matrix cannot be made: \(error)") }
  }()

  /// The data file.
  let bytes: [UInt8]
  /// The data file as earlier commits left it.
  let earlier: [[UInt8]]
  let spaces: [SpaceID: SpaceRecord]
  /// What every session was after each of its commits; the last is what it is.
  let history: [SessionKey: [State]]
  let deleted: Set<SessionKey>
  let frames: [BlockKey: [UInt8]]

  var live: [SessionKey: State] {
    history.filter { !deleted.contains($0.key) }.compactMapValues(\.last)
  }

  private init() throws {
    var maker = try StoreMaker()
    try maker.fill()
    bytes = try maker.bytes()
    earlier = maker.earlier
    history = maker.history
    deleted = maker.deleted
    spaces = Dictionary(uniqueKeysWithValues: try maker.tier.spaces().map { ($0.id, $0) })
    frames = try maker.storedFrames()
    maker.tier.close()
  }
}

extension DiskTier {
  /// A block's frame as it is stored.
  func frameBytes(of key: BlockKey) throws(StoreError) -> [UInt8]? {
    try environment.read { (transaction) throws(StoreError) in
      guard let head = try tables.blockHead(key, transaction) else { return nil }
      return try tables.joined(head.frame, transaction)
    }
  }

  func allBlockKeys() throws(StoreError) -> [BlockKey] {
    var keys: [BlockKey] = []
    try scanBlocks { (summary) throws(StoreError) in
      keys.append(summary.key)
      return true
    }
    return keys
  }
}

/// Fills the store, commit by commit.
private struct StoreMaker {
  let folder = ScratchFolder()
  var tier: DiskTier
  var earlier: [[UInt8]] = []
  var history: [SessionKey: [WholeStore.State]] = [:]
  var deleted: Set<SessionKey> = []

  init() throws { tier = try DiskTier(path: "\(folder.path)/store", options: Self.options()) }

  private static func options(quotaBytes: Int? = nil) -> DiskTierOptions {
    DiskTierOptions(quotaBytes: quotaBytes, mapSizeBytes: 1 << 30)
  }

  func bytes() throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/store/data.mdb"))) }

  func storedFrames() throws -> [BlockKey: [UInt8]] {
    var frames: [BlockKey: [UInt8]] = [:]
    for key in try tier.allBlockKeys() { frames[key] = try tier.frameBytes(of: key) }
    return frames
  }

  private static func layout(_ blockTokenCount: Int, layers: Int, rowByteCount: Int) throws -> BlockLayout {
    let kinds: [Plane.Kind] = [.keys, .values]
    return try BlockLayout(
      blockTokenCount: blockTokenCount,
      planes: (0..<layers).flatMap { layer in
        kinds.map { PlaneLayout(Plane($0, layer: layer), elementType: .bf16, rowByteCount: rowByteCount) }
      })
  }

  mutating func fill() throws {
    let main = try tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "main", adapter: "lora", settings: ["rope": "1"], salt: "s"),
      layout: try Self.layout(8, layers: 2, rowByteCount: 64))
    let wide = try tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "wide"), layout: try Self.layout(4, layers: 1, rowByteCount: 36 << 10))
    let seeded = try tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "seeded", vllmSeed: "0"),
      layout: try Self.layout(8, layers: 1, rowByteCount: 32))
    // Its record is too long for a leaf page.
    let deep = try tier.findOrCreateSpace(
      fingerprint: ModelFingerprint(model: "deep"), layout: try Self.layout(4, layers: 100, rowByteCount: 2))

    let prefix = tokens(0..<80)
    try commit("doomed", main, prefix + tokens(5_000..<5_160))
    try commit("grows", main, prefix + tokens(900..<903))
    for index in 0..<8 {
      let own = tokens(1_000 * (index + 1)..<1_000 * (index + 1) + 13 + 5 * index)
      try commit("chat \(index)", main, prefix + own, metadata: ["title": "Gespräch \(index)"])
    }
    try commit("grows", main, prefix + tokens(900..<911), checkpoint: Array("state".utf8))
    snapshot()
    try delete("doomed", main)
    try collect()
    snapshot()
    try commit("grows", main, prefix + tokens(900..<925), checkpoint: Array("a later state".utf8))
    try commit("long", main, tokens(20_000..<20_477), origin: Array(repeating: 7, count: 300))
    try cache(main, tokens(40_000..<40_720))
    snapshot()
    try commit("wide", wide, tokens(0..<9), checkpoint: Self.noise(290_000))
    try commit("tail", seeded, tokens(3..<6), expires: 4_102_444_800_000_000, origin: [1, 2, 3])
    try commit("deep", deep, tokens(0..<6))
    snapshot()
    try delete("chat 7", main)
    try commit("long", main, tokens(20_000..<20_485), origin: Array(repeating: 7, count: 300))
  }

  private mutating func snapshot() { earlier.append((try? bytes()) ?? []) }

  private static func noise(_ count: Int) -> [UInt8] {
    var numbers = SeededNumbers(seed: UInt64(count))
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }
  }

  private func chain(_ space: SpaceRecord, _ tokens: [Token]) -> [BlockDescriptor] {
    var chain: [BlockDescriptor] = []
    for start in stride(from: 0, to: tokens.count, by: space.layout.blockTokenCount) {
      chain.append(
        BlockDescriptor(
          space: space.id, parent: chain.last?.key.hash ?? space.root,
          tokens: Array(tokens[start..<min(start + space.layout.blockTokenCount, tokens.count)])))
    }
    return chain
  }

  private func writes(_ space: SpaceRecord, _ chain: [BlockDescriptor]) throws -> [ColdBatch.Write] {
    try chain.enumerated().map { index, descriptor in
      var numbers = SeededNumbers(seed: descriptor.key.hash.words.0)
      var rows = [UInt8](repeating: 0, count: space.layout.frameByteCount)
      // Noise does not compress, and so fills several pieces; half noise goes through every filter.
      let step = rows.count > 1 << 16 ? 1 : 2
      for place in stride(from: 0, to: rows.count, by: step) {
        rows[place] = UInt8.random(in: 0...255, using: &numbers)
      }
      let frame = try rows.withUnsafeBytes { try tier.encode(descriptor, layout: space.layout, frame: $0) }
      return ColdBatch.Write(frame: frame, lastUse: UInt64(1_000_000 - index))
    }
  }

  private mutating func commit(
    _ name: String, _ space: SpaceRecord, _ tokens: [Token], metadata: [String: String] = [:], expires: UInt64? = nil,
    origin: [UInt8] = [], checkpoint: [UInt8]? = nil
  ) throws {
    let key = SessionKey(space: space.id, name: name)
    let chain = chain(space, tokens)
    let record = SessionRecord(
      space: space.id, name: name, expiresMicroseconds: expires, tokens: tokens, blocks: chain.map(\.key.hash),
      metadata: metadata, origin: origin)
    let old = try tier.session(space: space.id, name: name)
    let put = SessionOperation.put(
      record, checkpoint: checkpoint.map { .replace($0) } ?? .keep,
      condition: old.map { .revision($0.revision) } ?? .absent)
    let done = try tier.commit(
      ColdBatch(writes: try writes(space, chain), operations: [put]), isProtected: { _ in false })
    guard case .done = done.operations[0], let stored = try tier.session(space: space.id, name: name) else {
      throw StoreError(.inputOutput, "\(name): \(done.operations)")
    }
    history[key, default: []].append(
      WholeStore.State(record: stored, checkpoint: try tier.checkpoint(space: space.id, name: name)))
  }

  private mutating func delete(_ name: String, _ space: SpaceRecord) throws {
    _ = try tier.commit(
      ColdBatch(operations: [.delete(space: space.id, name: name)]), isProtected: { _ in false })
    deleted.insert(SessionKey(space: space.id, name: name))
  }

  private func cache(_ space: SpaceRecord, _ tokens: [Token]) throws {
    _ = try tier.commit(ColdBatch(writes: try writes(space, chain(space, tokens))), isProtected: { _ in false })
  }

  /// Deletes some of the blocks that no session holds, and leaves some.
  private mutating func collect() throws {
    let used = try tier.environment.read { (transaction) throws(StoreError) in
      try tier.tables.usedPageCount(transaction)
    }
    tier.close()
    tier = try DiskTier(path: tier.path, options: Self.options(quotaBytes: (used - 12) * 4096))
    _ = try tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false })
    tier.close()
    tier = try DiskTier(path: tier.path, options: Self.options())
  }

  private func tokens(_ range: Range<Int>) -> [Token] { range.map { Token($0) } }
}
