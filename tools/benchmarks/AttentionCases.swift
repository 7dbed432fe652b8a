import CLimits
import Dispatch
import KVBlocks
import PagedAttention

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Attention over scattered blocks beside the same over one stretch of memory, and both beside the machine's limits.
///
///     kvpager-bench attention [--rounds N] [--threads N] [--contexts 1024,4096,...] [--type f16] [--group N]
///                            [--huge-pages]
///     kvpager-bench attention-peer TOKENS TYPE THREADS     answers each line on standard input with a time
struct AttentionCases {
  static let blockTokenCounts = [1, 8, 16, 32, 64, 128, 256]
  var rounds = 7
  var threads = 2
  var contexts = [1024, 4096, 16384, 65536, 131072]
  var type = ElementType.f16
  var group = 4
  var hugePages = false

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func value() -> String { rest.popFirst() ?? "" }
    while let option = rest.popFirst() {
      switch option {
      case "--rounds": rounds = max(1, Int(value()) ?? rounds)
      case "--threads": threads = max(1, Int(value()) ?? threads)
      case "--contexts": contexts = value().split(separator: ",").compactMap { Int($0) }
      case "--type": type = ElementType(name: value()) ?? type
      case "--huge-pages": hugePages = true
      case "--group": group = max(1, Int(value()) ?? group)
      default: throw StoreError(.invalidArgument, "no option \(option)")
      }
    }
  }

  func run() throws {
    let shape = try AttentionShape(
      elementType: type, headSize: 128, queryHeadCount: 8 * group, keyValueHeadCount: 8)
    print(
      "Attention: \(shape.queryHeadCount) query heads over 8 heads of 128 \(type.name), "
        + "\(threads) threads, medians of \(rounds) rounds in turn, blocks in random places"
        + (hugePages ? ", huge pages" : ""))
    for context in contexts {
      let bytes = Double(2 * context * shape.rowByteCount)
      func rows(_ blockTokenCount: Int) -> PlacedRows {
        PlacedRows(shape, tokenCount: context, blockTokenCount: blockTokenCount, hugePages: hugePages)
      }
      let placed = Self.blockTokenCounts.map(rows)
      let line = rows(context)
      let attention = try PagedAttention(shape, threadCount: threads)
      try decode(attention, line, placed, context, bytes)
      try prefill(attention, line, placed, context)
    }
  }

  private func decode(
    _ attention: PagedAttention, _ line: PlacedRows, _ placed: [PlacedRows], _ context: Int, _ bytes: Double
  ) throws {
    let queries = Self.queries(attention.shape.queryCount)
    // Short contexts are over too soon for the clock.
    let repeats = max(1, 16384 / context)
    var wanted: [Float] = []
    func once(_ rows: PlacedRows) -> [Float] {
      var outputs = [Float](repeating: 0, count: queries.count)
      for _ in 0..<repeats {
        var span = outputs.mutableSpan
        attention.decode([rows.rows], queries: queries.span, outputs: &span)
      }
      return outputs
    }
    wanted = once(line)
    for rows in placed { precondition(once(rows) == wanted, "the same rows in other places give the same output") }
    let all = [line] + placed
    var arms: [() -> Void] = all.map { rows in { _ = once(rows) } }
    for rows in all { arms.append { for _ in 0..<repeats { rows.readAll(threads: self.threads) } } }
    let medians = Self.medians(arms, rounds: rounds).map { $0 / Double(repeats) }
    let reading = Array(medians[all.count...])
    print("\ndecode, \(context) tokens, \(Text.fixed(bytes / 1e6, 0)) MB of keys and values")
    print("  reading alone           \(Self.rate(bytes, reading[0]))")
    let share = Text.fixed(reading[0] / medians[0], 2)
    print("  contiguous              \(Self.rate(bytes, medians[0]))   \(share) of the limit")
    Self.printRatios(medians, reading)
  }

  private func prefill(_ attention: PagedAttention, _ line: PlacedRows, _ placed: [PlacedRows], _ context: Int) throws {
    let shape = attention.shape
    let count = max(8, min(128, 1 << 21 / context))
    let queries = Self.queries(count * shape.queryCount)
    func once(_ rows: PlacedRows) -> [Float] {
      var outputs = [Float](repeating: 0, count: queries.count)
      var span = outputs.mutableSpan
      attention.prefill([rows.rows], queryTokenCounts: [count], queries: queries.span, outputs: &span)
      return outputs
    }
    let wanted = once(line)
    for rows in placed { precondition(once(rows) == wanted, "the same rows in other places give the same output") }
    let rounds = max(3, self.rounds / 2)
    var operations = 0.0
    var arms: [() -> Void] = ([line] + placed).map { rows in { _ = once(rows) } }
    arms.append { operations = Self.multiplyAdd(threads: self.threads) }
    let medians = Self.medians(arms, rounds: rounds)
    // Each query multiplies with the keys that it sees and adds up as many values.
    let seen = Double(count) * (Double(context) - Double(count - 1) / 2)
    let flops = 4 * seen * Double(shape.queryHeadCount * shape.headSize)
    let peak = operations / medians.last!
    print("\nprefill, the last \(count) of \(context) tokens")
    print("  peak multiply-add       \(Text.leading(Text.fixed(peak / 1e9, 0), 8)) GFLOP/s")
    print(
      "  contiguous              \(Text.leading(Text.fixed(flops / medians[0] / 1e9, 0), 8)) GFLOP/s   "
        + "\(Text.fixed(flops / medians[0] / peak, 2)) of the limit")
    Self.printRatios(medians)
  }

  private static func printRatios(_ medians: [Double], _ reading: [Double] = []) {
    for (index, count) in blockTokenCounts.enumerated() {
      let ratio = Text.fixed(medians[1 + index] / medians[0], 3)
      var line = "  blocks of \(Text.padded("\(count)", 14))\(ratio) x contiguous"
      if !reading.isEmpty { line += ", reading alone \(Text.fixed(reading[1 + index] / reading[0], 3)) x" }
      print(line)
    }
  }

  static func rate(_ bytes: Double, _ seconds: Double) -> String {
    Text.leading(Text.fixed(bytes / seconds / 1e9, 1), 8) + " GB/s" + Text.leading(Text.fixed(1000 * seconds, 3), 10)
      + " ms"
  }

  /// Runs arms in turn, each round in another order; each goes once unmeasured first, so that all find the caches as
  /// they leave them.
  static func medians(_ arms: [() -> Void], rounds: Int) -> [Double] {
    var samples = [[Double]](repeating: [], count: arms.count)
    for _ in 0..<rounds {
      for index in arms.indices.shuffled() {
        arms[index]()
        let started = ContinuousClock.now
        arms[index]()
        samples[index].append((ContinuousClock.now - started) / .seconds(1))
      }
    }
    return samples.map { $0.sorted()[$0.count / 2] }
  }

  static func queries(_ count: Int) -> [Float] {
    (0..<count).map { Float(($0 &* 2_654_435_761) & 0xffff) / 65536 - 0.5 }
  }

  private static func multiplyAdd(threads: Int) -> Double {
    let rounds = 4_000_000
    nonisolated(unsafe) let done = UnsafeMutablePointer<Double>.allocate(capacity: threads)  // because: one each
    DispatchQueue.concurrentPerform(iterations: threads) { done[$0] = limits_multiply_add(rounds) }
    defer { done.deallocate() }
    return (0..<threads).reduce(0) { $0 + done[$1] }
  }
}

/// A sequence's rows in blocks in random places of one arena. The rows are the same whatever the block size.
final class PlacedRows {
  let rows: PagedRows
  private let arena: UnsafeMutableRawPointer
  private let byteCount: Int
  private let frames: [UnsafeRawPointer]
  private let planeByteCount: Int

  init(_ shape: AttentionShape, tokenCount: Int, blockTokenCount: Int, hugePages: Bool = false) {
    let blockCount = (tokenCount - 1) / blockTokenCount + 1
    let planeByteCount = blockTokenCount * shape.rowByteCount
    byteCount = 2 * blockCount * planeByteCount
    guard let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      memory != MAP_FAILED
    else { preconditionFailure("no \(byteCount) bytes of memory") }
    // Where the system has them for the asking; elsewhere nothing changes.
    #if os(Linux)
      if hugePages { madvise(memory, byteCount, 14) }
    #endif
    arena = memory
    var state: UInt64 = 0x9e37_79b9
    func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
    var places = Array(0..<blockCount)
    for index in places.indices.reversed() where index > 0 {
      places.swapAt(index, Int(next() % UInt64(index + 1)))
    }
    let frames = places.map { UnsafeRawPointer(memory + 2 * $0 * planeByteCount) }
    self.frames = frames
    self.planeByteCount = planeByteCount
    rows = PagedRows(
      blockTokenCount: blockTokenCount, tokenCount: tokenCount, unsafeFrames: frames, keysAt: 0,
      valuesAt: planeByteCount)
    for token in 0..<tokenCount {
      let frame = memory + 2 * places[token / blockTokenCount] * planeByteCount
      for plane in 0..<2 {
        let row = frame + plane * planeByteCount + token % blockTokenCount * shape.rowByteCount
        Self.fill(row, shape, UInt64(2 * token + plane))
      }
    }
  }

  deinit { munmap(arena, byteCount) }

  private static func fill(_ row: UnsafeMutableRawPointer, _ shape: AttentionShape, _ seed: UInt64) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    for index in 0..<shape.keyValueHeadCount * shape.headSize {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      let value = Float(state & 0xffff) / 65536 - 0.5
      switch shape.elementType {
      // Exponent and mantissa at random, all of them finite and near 1: conversions cost the same for all values.
      case .f16:
        row.storeBytes(
          of: UInt16(truncatingIfNeeded: state & 0x83ff | 0x3400), toByteOffset: 2 * index, as: UInt16.self)
      case .bf16:
        row.storeBytes(of: UInt16(value.bitPattern >> 16), toByteOffset: 2 * index, as: UInt16.self)
      default: row.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
      }
    }
  }

  /// Reads all rows once, block by block as attention does, and does nothing with them; each thread a part.
  func readAll(threads: Int) {
    nonisolated(unsafe) let frames = frames  // because: what they name is only read
    let planeByteCount = planeByteCount
    DispatchQueue.concurrentPerform(iterations: threads) { index in
      // A stretch of memory is one block: its planes are cut, not its blocks.
      if frames.count < threads {
        for frame in frames {
          for plane in 0..<2 {
            let part = planeByteCount / threads
            _ = limits_read(frame + plane * planeByteCount + index * part, part)
          }
        }
      } else {
        for frame in frames[frames.count * index / threads..<frames.count * (index + 1) / threads] {
          _ = limits_read(frame, 2 * planeByteCount)
        }
      }
    }
  }
}

/// One decode at a time, asked for by another program that measures others in turn.
enum AttentionPeer {
  static func run(_ arguments: [String]) throws {
    guard arguments.count == 3, let tokens = Int(arguments[0]), let type = ElementType(name: arguments[1]),
      let threads = Int(arguments[2])
    else { throw StoreError(.invalidArgument, "attention-peer TOKENS TYPE THREADS") }
    let shape = try AttentionShape(elementType: type, headSize: 128, queryHeadCount: 32, keyValueHeadCount: 8)
    let rows = PlacedRows(shape, tokenCount: tokens, blockTokenCount: 16)
    let attention = try PagedAttention(shape, threadCount: threads)
    let queries = AttentionCases.queries(shape.queryCount)
    var outputs = [Float](repeating: 0, count: queries.count)
    print("ready")
    fflush(nil)
    while let line = readLine() {
      // "decode 16": the mean of 16 passes.
      let words = line.split(separator: " ")
      guard words.count == 2, let passes = Int(words[1]), passes > 0 else { return }
      let started = ContinuousClock.now
      for _ in 0..<passes {
        if words[0] == "read" {
          rows.readAll(threads: threads)
        } else {
          var span = outputs.mutableSpan
          attention.decode([rows.rows], queries: queries.span, outputs: &span)
        }
      }
      print((ContinuousClock.now - started) / .seconds(1) / Double(passes))
      fflush(nil)
    }
  }
}
