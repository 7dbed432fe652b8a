import KVBlocks
import KVSimulation
import KVTiering

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A space, a layout and chains of blocks whose rows follow from their keys, so that every byte can be checked.
struct Bench: Sendable {
  static let space = SpaceID(rawValue: 1)
  static let root = ChainHash.root(seed: "bench")
  static var rootKey: BlockKey { BlockKey(space: space, hash: root) }

  let layout: BlockLayout
  let cold: MemoryColdTier
  let faulty: FaultyColdTier
  let pager: Pager

  static func makeLayout(blockTokenCount: Int = 4, rowByteCount: Int = 16) -> BlockLayout {
    do {
      return try BlockLayout(
        blockTokenCount: blockTokenCount,
        planes: [
          PlaneLayout(Plane(.keys, layer: 0), elementType: .raw, rowByteCount: rowByteCount),
          PlaneLayout(Plane(.values, layer: 0), elementType: .raw, rowByteCount: rowByteCount),
        ])
    } catch { preconditionFailure("\(error)") }
  }

  /// - Parameter frames: the RAM budget in whole frames. The writer acts on request only, unless `idleMilliseconds`
  ///   says so.
  init(
    frames: Int, quotaBlocks: Int? = nil, layout: BlockLayout = Bench.makeLayout(), batchFrames: Int = 64,
    loadThreads: Int = 2, idleMilliseconds: Int = 3_600_000, seed: UInt64 = 0,
    faults: FaultyColdTier.Faults = .init(),
    beforeLoad: @escaping @Sendable (BlockKey) -> Void = { _ in }, beforeCommit: @escaping @Sendable () -> Void = {}
  ) {
    self.layout = layout
    let payload = layout.payloadByteCount(tokenCount: layout.blockTokenCount)
    cold = MemoryColdTier(roots: [Self.rootKey], quotaBytes: quotaBlocks.map { $0 * payload })
    faulty = FaultyColdTier(cold, seed: seed, faults: faults, beforeLoad: beforeLoad, beforeCommit: beforeCommit)
    pager = Pager(
      configuration: PagerConfiguration(
        memoryBudgetBytes: frames * layout.frameByteCount, writeBatchBytes: batchFrames * layout.frameByteCount,
        loadThreadCount: loadThreads, idleWriteBackMilliseconds: idleMilliseconds, touchIntervalMicroseconds: 0),
      cold: faulty)
  }

  /// A second pager on the same disk tier, as after a restart.
  func reopened(frames: Int, loadThreads: Int = 2) -> Pager {
    Pager(
      configuration: PagerConfiguration(
        memoryBudgetBytes: frames * layout.frameByteCount, loadThreadCount: loadThreads,
        idleWriteBackMilliseconds: 3_600_000, touchIntervalMicroseconds: 0),
      cold: faulty)
  }

  /// `count` blocks after one another; chains of different `number` share nothing.
  func chain(_ number: Int, _ count: Int, tailTokens: Int? = nil) -> [BlockDescriptor] {
    var result: [BlockDescriptor] = []
    for index in 0..<count {
      let isTail = index == count - 1 && tailTokens != nil
      let tokens = (0..<(isTail ? tailTokens ?? 0 : layout.blockTokenCount)).map { token in
        Token(number * 10_000 + index * 16 + token)
      }
      result.append(BlockDescriptor(space: Self.space, parent: result.last?.key.hash ?? Self.root, tokens: tokens))
    }
    return result
  }

  func fill(_ frame: UnsafeMutableRawBufferPointer, _ descriptor: BlockDescriptor) {
    for plane in layout.planes.indices {
      for row in 0..<descriptor.tokens.count {
        let range = layout.byteRange(ofPlane: plane, rows: row..<row + 1)
        frame[range].initializeMemory(as: UInt8.self, repeating: Self.byte(descriptor.key, plane, row))
      }
    }
  }

  func holds(_ frame: UnsafeRawBufferPointer, _ descriptor: BlockDescriptor) -> Bool {
    for plane in layout.planes.indices {
      for row in 0..<descriptor.tokens.count {
        let expected = Self.byte(descriptor.key, plane, row)
        guard frame[layout.byteRange(ofPlane: plane, rows: row..<row + 1)].allSatisfy({ $0 == expected }) else {
          return false
        }
      }
    }
    return true
  }

  static func byte(_ key: BlockKey, _ plane: Int, _ row: Int) -> UInt8 {
    key.hash.bytes[(plane * 7 + row) % 32] ^ UInt8(truncatingIfNeeded: row)
  }

  @discardableResult
  func put(_ descriptor: BlockDescriptor, in pager: Pager? = nil) throws(StoreError) -> SealOutcome {
    let pager = pager ?? self.pager
    let frame = try pager.openFrame(layout: layout)
    fill(frame.bytes, descriptor)
    return try pager.seal(frame, as: descriptor, layout: layout)
  }

  func put(_ chain: [BlockDescriptor]) throws(StoreError) {
    for descriptor in chain { try put(descriptor) }
  }

  func store(_ chain: [BlockDescriptor]) throws(StoreError) {
    try put(chain)
    try pager.writeBack()
  }

  func record(_ name: String, _ chain: [BlockDescriptor]) -> SessionRecord {
    SessionRecord(space: Self.space, name: name, tokens: chain.flatMap(\.tokens), blocks: chain.map(\.key.hash))
  }

  @discardableResult
  func commit(_ name: String, _ chain: [BlockDescriptor]) throws(StoreError) -> UInt64 {
    try pager.commit(.put(record(name, chain), checkpoint: .keep, condition: .absent), requiring: chain.map(\.key))
  }

  /// How many of a chain's blocks come back, all with the right bytes; -1 where a byte is wrong.
  func readBack(_ chain: [BlockDescriptor], from pager: Pager? = nil) throws(StoreError) -> Int {
    let blocks = try (pager ?? self.pager).pin(chain.map(\.key), layout: layout)
    for index in 0..<blocks.count {
      guard blocks.tokenCount(of: index) == chain[index].tokens.count, holds(blocks.bytes(of: index), chain[index])
      else {
        return -1
      }
    }
    return blocks.count
  }

  /// Those of `chain` that are in RAM.
  func resident(_ chain: [BlockDescriptor]) -> [Int] {
    chain.indices.filter { pager.isResident(chain[$0].key) }
  }

  func assertInvariants() {
    pager.assertInvariants()
    cold.assertInvariants()
  }
}

/// A door that threads wait at until a test opens it.
final class Gate: Sendable {
  private let state = Lock((isOpen: false, arrivals: 0))

  func pass() {
    state.withLock { $0.arrivals += 1 }
    while !state.withLock({ $0.isOpen }) { usleep(200) }
  }

  func open() { state.withLock { $0.isOpen = true } }

  func waitForArrivals(_ count: Int) {
    while state.withLock({ $0.arrivals }) < count { usleep(200) }
  }
}

/// Runs `body(0..<count)` on threads of their own and waits for all of them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var threads: [pthread_t] = []
  for index in 0..<count {
    let start = Unmanaged.passRetained(Start { body(index) })
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let code = pthread_create(
      &thread, nil,
      { argument in
        #if canImport(Darwin)
          Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
        #else
          if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
        #endif
        return nil
      }, start.toOpaque())
    precondition(code == 0)
    #if canImport(Darwin)
      if let thread { threads.append(thread) }
    #else
      threads.append(thread)
    #endif
  }
  for thread in threads { pthread_join(thread, nil) }
}

/// Waits until `condition` holds; how long is the scheduler's affair.
func waitUntil(_ condition: () -> Bool) {
  while !condition() { usleep(200) }
}
