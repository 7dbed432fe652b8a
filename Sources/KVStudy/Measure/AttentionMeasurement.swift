import KVBlocks
import PagedAttention

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What attention through blocks costs: one query over a long context, block by block and over one array, with the
/// same kernel, in turn.
package struct AttentionMeasurement: Sendable {
  package struct Figure: Hashable, Sendable {
    package var blockTokenCount: Int
    /// Median over the rounds of the time through blocks over that of the same round over one array.
    package var ratio: Double
    package var microseconds: Double

    package init(blockTokenCount: Int, ratio: Double, microseconds: Double) {
      self.blockTokenCount = blockTokenCount
      self.ratio = ratio
      self.microseconds = microseconds
    }
  }

  package static let roundCount = 25
  /// Tokens of a context, whatever their rows take; and the most that its rows may take.
  static let leastTokenCount = 512
  static let byteCountLimit = 1 << 30

  package var contextTokenCount: Int
  /// Of one layer's keys and values: more than the caches hold.
  package var byteCount: Int
  package var cacheByteCount: Int
  /// Over one array.
  package var contiguousMicroseconds: Double
  /// One array against itself, measured like the others.
  package var controlRatio: Double
  /// Median over the rounds of how far the control's ratio is from 1: what of a difference is noise.
  package var controlSpread: Double
  package var figures: [Figure]

  package init(
    contextTokenCount: Int, byteCount: Int, cacheByteCount: Int, contiguousMicroseconds: Double, controlRatio: Double,
    controlSpread: Double, figures: [Figure]
  ) {
    self.contextTokenCount = contextTokenCount
    self.byteCount = byteCount
    self.cacheByteCount = cacheByteCount
    self.contiguousMicroseconds = contiguousMicroseconds
    self.controlRatio = controlRatio
    self.controlSpread = controlSpread
    self.figures = figures
  }

  package func figure(_ blockTokenCount: Int) -> Figure? { figures.first { $0.blockTokenCount == blockTokenCount } }

  /// - Throws: `invalidArgument` for a layout that attention does not take.
  static func measure(_ layout: StudyLayout) throws(StoreError) -> AttentionMeasurement {
    let shape = try AttentionShape(
      elementType: layout.elementType, headSize: layout.headSize, queryHeadCount: layout.queryHeadCount,
      keyValueHeadCount: layout.keyValueHeadCount)
    guard 2 * leastTokenCount * shape.rowByteCount <= byteCountLimit else {
      throw .invalidArgument(
        "\(leastTokenCount) tokens of one layer take more than \(byteCountLimit >> 30) GiB: "
          + "\(shape.rowByteCount) bytes each for keys and for values")
    }
    let attention = try PagedAttention(shape)
    let cache = lastLevelCacheByteCount
    let wanted = min(max(4 * cache, 64 << 20), 256 << 20)
    let tokenCount = max(1, wanted / (2 * shape.rowByteCount) / leastTokenCount) * leastTokenCount
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: 2 * tokenCount * shape.rowByteCount, alignment: 4096)
    defer { memory.deallocate() }
    fill(memory, layout.elementType)
    let base = UnsafeRawPointer(memory.baseAddress!)
    var draws = SeededDraws(seed: 1)
    // The same memory, cut anew for each size: all sizes read the same bytes, each in its own order.
    let sizes = [tokenCount, tokenCount] + AllocationPolicy.blockTokenCounts
    let rows = sizes.map { size in
      let order = Array(0..<tokenCount / size).shuffled(using: &draws)
      return PagedRows(
        blockTokenCount: size, tokenCount: tokenCount,
        unsafeFrames: order.map { base + $0 * 2 * size * shape.rowByteCount }, keysAt: 0,
        valuesAt: size * shape.rowByteCount)
    }
    let queries = (0..<shape.queryCount).map { _ in Float(draws.normal()) }
    var outputs = [Float](repeating: 0, count: shape.queryCount)
    var times = sizes.map { _ in [Double]() }
    for round in 0...roundCount {
      // In an order that is drawn anew: what a pass leaves in the caches is nobody's in particular to find.
      for index in sizes.indices.shuffled(using: &draws) {
        let time = Stopwatch.microseconds {
          var span = outputs.mutableSpan
          attention.decode([rows[index]], queries: queries.span, outputs: &span)
        }
        // The first round is for warming up.
        if round > 0 { times[index].append(time) }
      }
    }
    func ratios(_ index: Int) -> [Double] { zip(times[index], times[0]).map { $0 / $1 } }
    let figures = sizes.indices.dropFirst(2).map { index in
      Figure(
        blockTokenCount: sizes[index], ratio: Stopwatch.median(ratios(index)),
        microseconds: Stopwatch.median(times[index]))
    }
    let control = ratios(1)
    return AttentionMeasurement(
      contextTokenCount: tokenCount, byteCount: memory.count, cacheByteCount: cache,
      contiguousMicroseconds: Stopwatch.median(times[0]), controlRatio: Stopwatch.median(control),
      controlSpread: Stopwatch.median(control.map { abs($0 - 1) }), figures: figures)
  }

  private static var lastLevelCacheByteCount: Int {
    // "32768K", as Linux tells it.
    let descriptor = open("/sys/devices/system/cpu/cpu0/cache/index3/size", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 32 << 20 }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor, &bytes, bytes.count)
    let text = String(decoding: bytes.prefix(max(0, count)).prefix { (0x30...0x39).contains($0) }, as: UTF8.self)
    return min(max((Int(text) ?? 32 << 10) << 10, 1 << 20), 1 << 30)
  }

  /// Numbers of ordinary size: up to 1, none so small that the processor slows down.
  private static func fill(_ memory: UnsafeMutableRawBufferPointer, _ type: ElementType) {
    var draws = SeededDraws(seed: 2)
    let pattern = min(memory.count, 1 << 20)
    for offset in stride(from: 0, to: pattern, by: type.unitByteCount) {
      let bits = draws.next()
      let exponent = bits >> 40 & 7
      switch type {
      case .f16:
        let word = UInt16(truncatingIfNeeded: (bits & 0x83ff) | (8 + exponent) << 10)
        memory.storeBytes(of: word, toByteOffset: offset, as: UInt16.self)
      case .bf16:
        let word = UInt16(truncatingIfNeeded: (bits & 0x807f) | (119 + exponent) << 7)
        memory.storeBytes(of: word, toByteOffset: offset, as: UInt16.self)
      default:
        let word = UInt32(truncatingIfNeeded: (bits & 0x807f_ffff) | (119 + exponent) << 23)
        memory.storeBytes(of: word, toByteOffset: offset, as: UInt32.self)
      }
    }
    for start in stride(from: pattern, to: memory.count, by: pattern) {
      let end = min(start + pattern, memory.count)
      UnsafeMutableRawBufferPointer(rebasing: memory[start..<end])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<(end - start)]))
    }
  }
}
