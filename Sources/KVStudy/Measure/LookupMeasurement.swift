import KVBlocks
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What it costs to find a prompt of 4,096 tokens that is stored, by block size.
package struct LookupMeasurement: Sendable {
  /// Microseconds for 1,000 tokens.
  package struct Figure: Hashable, Sendable {
    package var blockTokenCount: Int
    /// Computing the blocks' hashes: a part of the others.
    package var hashingMicroseconds: Double
    /// Where all blocks are in RAM.
    package var memoryMicroseconds: Double
    /// Where none is: by searching the store's tables, whose pages the system has in its cache.
    package var diskMicroseconds: Double

    package init(
      blockTokenCount: Int, hashingMicroseconds: Double, memoryMicroseconds: Double, diskMicroseconds: Double
    ) {
      self.blockTokenCount = blockTokenCount
      self.hashingMicroseconds = hashingMicroseconds
      self.memoryMicroseconds = memoryMicroseconds
      self.diskMicroseconds = diskMicroseconds
    }
  }

  package static let tokenCount = 4096
  private static let roundCount = 9

  package var figures: [Figure]

  package init(figures: [Figure]) { self.figures = figures }

  package func figure(_ blockTokenCount: Int) -> Figure? { figures.first { $0.blockTokenCount == blockTokenCount } }

  static func measure() throws(StoreError) -> LookupMeasurement {
    let folder = try StudyFolder()
    var draws = SeededDraws(seed: 3)
    let tokens = (0..<tokenCount).map { _ in Token(draws.below(128_000)) }
    let sizes = AllocationPolicy.blockTokenCounts
    var times = sizes.map { _ in Times() }
    let store = try Store(at: folder.store)
    let spaces = try spaces(of: store, sizes)
    for space in spaces { try insert(tokens, space) }
    try store.writeBack()
    for _ in 0..<roundCount {
      for index in sizes.indices.shuffled(using: &draws) {
        let space = spaces[index]
        times[index].hashing.append(
          Stopwatch.microseconds {
            _ = ChainHash.hashes(ofFullBlocksIn: tokens, blockTokenCount: sizes[index], root: space.root)
          })
        times[index].memory.append(
          try Stopwatch.microseconds { () throws(StoreError) in try find(tokens, space, inMemory: true) })
      }
    }
    try store.close()
    // Opened anew it has nothing in RAM, and looking up alone loads nothing.
    let reopened = try Store(at: folder.store)
    let stored = try self.spaces(of: reopened, sizes)
    for _ in 0..<roundCount {
      for index in sizes.indices.shuffled(using: &draws) {
        times[index].disk.append(
          try Stopwatch.microseconds { () throws(StoreError) in try find(tokens, stored[index], inMemory: false) })
      }
    }
    try reopened.close()
    let figures = sizes.indices.map { index in
      Figure(
        blockTokenCount: sizes[index], hashingMicroseconds: median(times[index].hashing),
        memoryMicroseconds: median(times[index].memory), diskMicroseconds: median(times[index].disk))
    }
    return LookupMeasurement(figures: figures)
  }

  /// A size's, one of each in every round.
  private struct Times {
    var hashing: [Double] = []
    var memory: [Double] = []
    var disk: [Double] = []
  }

  /// For 1,000 tokens.
  private static func median(_ times: [Double]) -> Double { Stopwatch.median(times) * 1000 / Double(tokenCount) }

  /// Rows as short as can be: a look-up reads none.
  private static func spaces(of store: Store, _ sizes: [Int]) throws(StoreError) -> [CacheSpace] {
    var spaces: [CacheSpace] = []
    for size in sizes {
      let layout = try BlockLayout(
        blockTokenCount: size, planes: [PlaneLayout(Plane(.keys, layer: 0), elementType: .raw, rowByteCount: 1)])
      spaces.append(try store.cacheSpace(for: ModelFingerprint(model: "study"), layout: layout))
    }
    return spaces
  }

  private static func insert(_ tokens: [Token], _ space: CacheSpace) throws(StoreError) {
    do {
      try space.insert(tokens) { writer in
        writer.withUnsafeRows(ofPlane: 0) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
      }
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(.inputOutput, "\(error)")
    }
  }

  private static func find(_ tokens: [Token], _ space: CacheSpace, inMemory: Bool) throws(StoreError) {
    let prefix = try space.longestPrefix(of: tokens)
    guard prefix.tokenCount == tokens.count, (prefix.memoryBlockCount == prefix.blockCount) == inMemory else {
      throw StoreError(
        .inputOutput,
        "the prompt that was stored for the measurement is not found where it should be; "
          + "try again, or leave it out with --no-measure")
    }
  }
}

/// A folder for a measurement's store, gone with the value.
private final class StudyFolder {
  let path: String

  init() throws(StoreError) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent)/kvpager-study-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      mkdtemp(buffer.baseAddress!).map { String(cString: $0) }
    }
    guard let made else {
      throw StoreError(
        .inputOutput, "cannot make a folder in \(parent) to measure in; set TMPDIR, or add --no-measure",
        cause: String(cString: strerror(errno)))
    }
    path = made
  }

  deinit {
    for name in ["data.mdb", "lock.mdb", "activity"] { unlink("\(store)/\(name)") }
    rmdir(store)
    rmdir(path)
  }

  var store: String { "\(path)/store" }
}
