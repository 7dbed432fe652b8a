import KVBlocks
import KVDiskTier

/// A store of as many sessions and blocks as one likes, filled as fast as the disk takes it: for measuring what must
/// hold for large stores. Its conversations are shaped as a chat service's are: a few system prompts that most of them
/// begin with, follow-ups that branch off earlier ones, tails, some sessions with metadata, a checkpoint or an expiry,
/// and blocks that no session holds any more. The same shape gives the same tokens, hashes and rows.
package struct LargeStore: Sendable {
  package var sessionCount = 20_000
  /// Blocks stored, at least; up to one conversation more.
  package var blockCount = 1_000_000
  package var blockTokenCount = 16
  package var seed: UInt64 = 4
  /// Blocks in one transaction.
  package var batchBlockCount = 16_384
  /// The time of the newest use. Uses reach back 60 days from here, the newest the densest.
  package var nowMicroseconds: UInt64 = 1_790_000_000_000_000

  package init() {}

  /// Makes the store in `path`, which must not hold one.
  /// - Parameter progress: is told the blocks written so far after each transaction.
  package func fill(_ path: String, progress: (Int) -> Void = { _ in }) throws(StoreError) {
    // Whoever fills a store to measure it can fill it again: half the syncs.
    let tier = try DiskTier(path: path, options: DiskTierOptions(syncsMetaPage: false))
    defer { tier.close() }
    var filling = try Filling(shape: self, tier: tier)
    try filling.run(progress)
  }

  /// Planes so small that a frame takes one 4 KiB page.
  static func layouts(blockTokenCount: Int) throws(StoreError) -> [(model: String, layout: BlockLayout)] {
    func layout(_ type: ElementType, layers: Int) throws(StoreError) -> BlockLayout {
      var planes: [PlaneLayout] = []
      for kind in [Plane.Kind.keys, .values] {
        for layer in 0..<layers {
          planes.append(PlaneLayout(Plane(kind, layer: layer), elementType: type, rowByteCount: 16))
        }
      }
      return try BlockLayout(blockTokenCount: blockTokenCount, planes: planes)
    }
    return [("assistant-large", try layout(.bf16, layers: 2)), ("assistant-small", try layout(.f16, layers: 1))]
  }
}

/// The state of one filling.
private struct Filling {
  /// A chain of stored blocks, root first.
  struct Chain {
    var tokens: [Token] = []
    var hashes: [BlockHash] = []
  }

  struct Model {
    let space: SpaceRecord
    var prompts: [Chain] = []
    /// The latest conversations, for others to branch off.
    var recent: [Chain] = []
  }

  private static let recentLimit = 256

  let shape: LargeStore
  let tier: DiskTier
  private var random: SplitMix64
  private var models: [Model] = []
  private var batch = ColdBatch()
  private var writtenCount = 0
  private var rows: [UInt8] = []

  init(shape: LargeStore, tier: DiskTier) throws(StoreError) {
    self.shape = shape
    self.tier = tier
    random = SplitMix64(seed: shape.seed)
    for (model, layout) in try LargeStore.layouts(blockTokenCount: shape.blockTokenCount) {
      let space = try tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: model), layout: layout)
      models.append(Model(space: space))
    }
  }

  mutating func run(_ progress: (Int) -> Void) throws(StoreError) {
    try writePrompts()
    // Blocks of no session: what earlier conversations left behind.
    while writtenCount < shape.blockCount / 33 { _ = try writeConversation(of: pick(), blocks: 20, age: 60) }
    for index in 0..<shape.sessionCount {
      let left = max(0, shape.blockCount - writtenCount)
      let mean = Double(left) / Double(shape.sessionCount - index)
      // Most are short, a few are long.
      let share = random.chance(0.02) ? 6.0 : 0.3 + Double(random.next() % 1200) / 1000
      let age = 60 * Double(shape.sessionCount - 1 - index) / Double(shape.sessionCount)
      try writeSession(index, blocks: max(1, Int(mean * share * 0.98)), age: age * age / 60)
      if batch.writes.count >= shape.batchBlockCount { try commit(progress) }
    }
    while writtenCount < shape.blockCount { _ = try writeConversation(of: pick(), blocks: 20, age: 0) }
    // Prompts are in use to the last.
    for model in models {
      for prompt in model.prompts {
        for hash in prompt.hashes {
          batch.touches.append(
            .init(key: BlockKey(space: model.space.id, hash: hash), lastUse: shape.nowMicroseconds))
        }
      }
    }
    try commit(progress)
  }

  private mutating func pick() -> Int { random.chance(0.15) ? 1 : 0 }

  private mutating func commit(_ progress: (Int) -> Void) throws(StoreError) {
    let result = try tier.commit(batch) { _ in false }
    for outcome in result.operations {
      if case .failed(let error) = outcome { throw error }
    }
    batch = ColdBatch()
    progress(writtenCount)
  }

  // MARK: Conversations

  private mutating func writePrompts() throws(StoreError) {
    let limit = max(2, min(48, shape.blockCount / 200))
    for model in models.indices {
      for _ in 0..<10 {
        let count = 1 + Int(random.next() % UInt64(limit))
        models[model].prompts.append(try write(blocks: count, after: Chain(), of: model, age: 60, tail: 0))
      }
    }
  }

  /// What a new conversation begins with: an earlier one up to some block, or a system prompt. The first are the most
  /// popular.
  private mutating func beginning(of model: Int) -> Chain {
    let recent = models[model].recent
    if !recent.isEmpty, random.chance(0.25) {
      let earlier = recent[Int(random.next() % UInt64(recent.count))]
      let full = earlier.tokens.count / shape.blockTokenCount
      return part(of: earlier, blocks: full == 0 ? 0 : 1 + Int(random.next() % UInt64(full)))
    }
    if random.chance(0.05) { return Chain() }
    var index = 0
    while index + 1 < models[model].prompts.count, random.chance(0.5) { index += 1 }
    return models[model].prompts[index]
  }

  private func part(of chain: Chain, blocks: Int) -> Chain {
    Chain(
      tokens: Array(chain.tokens.prefix(blocks * shape.blockTokenCount)), hashes: Array(chain.hashes.prefix(blocks)))
  }

  private mutating func writeConversation(of model: Int, blocks: Int, age: Double) throws(StoreError) -> Chain {
    let tail = Int(random.next() % UInt64(shape.blockTokenCount))
    let chain = try write(blocks: blocks, after: beginning(of: model), of: model, age: age, tail: tail)
    if models[model].recent.count < Self.recentLimit {
      models[model].recent.append(chain)
    } else {
      models[model].recent[Int(random.next() % UInt64(Self.recentLimit))] = chain
    }
    return chain
  }

  private mutating func writeSession(_ index: Int, blocks: Int, age: Double) throws(StoreError) {
    let model = pick()
    let chain = try writeConversation(of: model, blocks: blocks, age: age)
    var record = SessionRecord(
      space: models[model].space.id, name: "user-\(index % 997)/chat-\(index)", tokens: chain.tokens,
      blocks: chain.hashes)
    record.createdMicroseconds = time(age: age)
    if random.chance(0.6) {
      record.metadata = ["title": "Conversation \(index)", "user": "user-\(index % 997)"]
    }
    // A tenth expires, half of those before now.
    if random.chance(0.1) {
      let days: UInt64 = 86_400_000_000
      record.expiresMicroseconds =
        random.chance(0.5) ? shape.nowMicroseconds - days * (1 + random.next() % 30) : UInt64.max / 4
    }
    let checkpoint: SessionOperation.CheckpointChange =
      random.chance(0.01) ? .replace((0..<2000).map { UInt8(truncatingIfNeeded: $0 &* index) }) : .keep
    batch.operations.append(.put(record, checkpoint: checkpoint, condition: .absent))
  }

  // MARK: Blocks

  /// - Parameter age: of the last use, in days.
  private func time(age: Double) -> UInt64 { shape.nowMicroseconds - UInt64(age * 86_400 * 1_000_000) }

  /// Writes `blocks` new blocks after `start`, the last of them with `tail` tokens where that is not 0.
  private mutating func write(
    blocks: Int, after start: Chain, of model: Int, age: Double, tail: Int
  ) throws(StoreError) -> Chain {
    var chain = start
    let space = models[model].space
    let stamp = time(age: age)
    for index in 0..<blocks {
      let isTail = index == blocks - 1 && tail > 0
      let count = isTail ? tail : shape.blockTokenCount
      let tokens = (0..<count).map { _ in Token(random.next() % 150_000) }
      let descriptor = BlockDescriptor(space: space.id, parent: chain.hashes.last ?? space.root, tokens: tokens)
      chain.tokens += tokens
      chain.hashes.append(descriptor.key.hash)
      let frame = try encode(descriptor, space.layout)
      batch.writes.append(.init(frame: frame, lastUse: stamp &+ UInt64(blocks - index)))
      writtenCount += 1
    }
    return chain
  }

  /// Values that change little from token to token, with noise in their low bytes.
  private mutating func encode(_ descriptor: BlockDescriptor, _ layout: BlockLayout) throws(StoreError) -> EncodedFrame
  {
    if rows.count != layout.frameByteCount { rows = Array(repeating: 0x3f, count: layout.frameByteCount) }
    var noise = SplitMix64(seed: UInt64(descriptor.key.hash.bytes[0]) | UInt64(writtenCount) << 8)
    rows.withUnsafeMutableBytes { bytes in
      for start in stride(from: 0, to: bytes.count - 7, by: 8) {
        let values = noise.next() & 0x003f_003f_003f_003f | 0x3f80_3f80_3f80_3f80
        bytes.storeBytes(of: values, toByteOffset: start, as: UInt64.self)
      }
    }
    let span = rows.span
    return try span.withUnsafeBytes { (bytes) throws(StoreError) in
      try tier.encode(descriptor, layout: layout, frame: bytes)
    }
  }
}
