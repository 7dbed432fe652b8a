import CKernels
import CSystemLZ4
import KVBlocks
import Testing

@testable import KVCodec

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Prints speeds as ratios against memcpy and plain LZ4 in the same run. Asserts nothing on time; runs only when asked:
/// `KVPAGER_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter CodecBenchmark`.
@Suite(.enabled(if: getenv("KVPAGER_BENCH") != nil), .serialized)
struct CodecBenchmark {
  @Test(arguments: [
    ("smollm2-135m_48tok_bf16_fa.v4.ggsq", 48), ("smollm2-135m_48tok_bf16_fa.v4.ggsq", 16),
    ("smollm2-135m_48tok_f16_fa.v3.ggsq", 48), ("smollm2-135m_48tok_f16_fa.v3.ggsq", 16),
    ("smollm2-135m_48tok_q8_0_fa.v4.ggsq", 48),
  ])
  func `speed against memcpy and plain LZ4`(name: String, tokenCount: Int) throws {
    try Comparison(SampleRows.read(name).block(first: 0, tokenCount: tokenCount)).run(title: "\(name) x\(tokenCount)")
  }

  @Test func `speed on rows of a larger model`() throws {
    // 8 heads of 128: the sample's rows side by side, 64 tokens of 2,048 bytes.
    let sample = try SampleRows.read("smollm2-135m_48tok_bf16_fa.v4.ggsq")
    let layout = try layout(.bf16, rowByteCount: 2048, blockTokenCount: 64, planes: 16)
    let block = BlockFixture(layout: layout, tokenCount: 64) { plane, rows in
      for i in rows.indices {
        let (row, column) = (i / 2048, i % 2048)
        let source = sample.planes[(plane * 6 + column / 384) % sample.planes.count].rows
        rows[i] = source[(row % 48) * 384 + column % 384]
      }
    }
    try Comparison(block).run(title: "bf16 64 x 2048 bytes")
  }

  @Test(arguments: [ElementType.f32, .i8, .q4_0, .raw])
  func `speed on other types`(elementType: ElementType) throws {
    let row = 32 * elementType.unitByteCount * (elementType.unitValueCount == 1 ? 8 : 1)
    let layout = try layout(elementType, rowByteCount: row, blockTokenCount: 64, planes: 40)
    let block = BlockFixture(layout: layout, tokenCount: 64) { plane, rows in
      AdversarialContent.smooth.fill(rows, rowByteCount: row, elementType: elementType, seed: UInt64(plane))
    }
    try Comparison(block).run(title: "\(elementType), synthetic")
  }
}

/// Arms measured in turn, round after round, so that a disturbed moment falls on all of them.
private struct Comparison {
  let block: BlockFixture
  let frame: [UInt8]
  let plainLZ4: [[UInt8]]

  init(_ block: BlockFixture) throws {
    self.block = block
    frame = try block.encoded()
    plainLZ4 = block.layout.planes.indices.map { plane in
      let rows = block.rows(ofPlane: plane)
      var output = [UInt8](repeating: 0, count: Int(LZ4_compressBound(Int32(rows.count))))
      let count = Self.compress(rows[...], into: &output)
      return Array(output[..<count])
    }
  }

  private static func compress(_ rows: ArraySlice<UInt8>, into output: inout [UInt8]) -> Int {
    rows.withUnsafeBytes { source in
      output.withUnsafeMutableBytes { target in
        Int(
          LZ4_compress_default(
            source.baseAddress!.assumingMemoryBound(to: CChar.self),
            target.baseAddress!.assumingMemoryBound(to: CChar.self), Int32(source.count), Int32(target.count)))
      }
    }
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  func run(title: String) throws {
    let payload = block.layout.payloadByteCount(tokenCount: block.tokenCount)
    let plain = plainLZ4.reduce(0) { $0 + $1.count }
    let header = try withPieces(frame) { try FrameHeader.parse($0).headerByteCount }
    print(
      "\(title): ratio \(rounded(Double(payload) / Double(frame.count))), plain LZ4",
      "\(rounded(Double(payload) / Double(plain))), header \(header) of \(frame.count) bytes")
    let arms = try measure()
    let memcpy = arms.first { $0.name == "memcpy" }!.seconds
    for arm in arms {
      let speed = Double(payload) / arm.seconds / 1e9
      print("  \(arm.name): \(rounded(speed)) GB/s, \(rounded(memcpy / arm.seconds)) of memcpy")
    }
  }

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

  private func measure() throws -> [(name: String, seconds: Double)] {
    var target = [UInt8](repeating: 0, count: block.layout.frameByteCount)
    var output = [UInt8](repeating: 0, count: Int(LZ4_compressBound(Int32(block.layout.frameByteCount))))
    let planes = block.layout.planes.indices.map { block.layout.byteRange(ofPlane: $0, rows: 0..<block.tokenCount) }
    let levels = (0...kv_best_level()).map { $0 }
    var names = ["memcpy", "plain LZ4 compress", "plain LZ4 decompress"]
    for level in levels { names += ["encode level \(level)", "decode level \(level)"] }
    var samples = [[Double]](repeating: [], count: names.count)
    for _ in 0..<21 {
      var arm = 0
      func time(_ body: () throws -> Void) rethrows {
        try body()
        let start = Self.seconds()
        for _ in 0..<4 { try body() }
        samples[arm].append((Self.seconds() - start) / 4)
        arm += 1
      }
      time {
        for range in planes {
          target.withUnsafeMutableBytes { to in
            block.frame.withUnsafeBytes { from in
              (to.baseAddress! + range.lowerBound).copyMemory(
                from: from.baseAddress! + range.lowerBound, byteCount: range.count)
            }
          }
        }
      }
      time { for range in planes { _ = Self.compress(block.frame[range], into: &output) } }
      time {
        for (plane, range) in planes.enumerated() {
          plainLZ4[plane].withUnsafeBytes { from in
            target.withUnsafeMutableBytes { to in
              _ = LZ4_decompress_safe(
                from.baseAddress!.assumingMemoryBound(to: CChar.self),
                (to.baseAddress! + range.lowerBound).assumingMemoryBound(to: CChar.self),
                Int32(from.count), Int32(range.count))
            }
          }
        }
      }
      for level in levels {
        var encoder = BlockEncoder(level: level)
        var decoder = BlockDecoder(level: level)
        try time {
          try block.frame.withUnsafeBytes {
            _ = try encoder.encode(block.descriptor, layout: block.layout, frame: $0)
          }
        }
        try time {
          try frame.withUnsafeBytes { from in
            try target.withUnsafeMutableBytes {
              _ = try decoder.decode(
                FramePieces([from]), layout: block.layout, expecting: block.descriptor.key, into: $0)
            }
          }
        }
      }
    }
    return names.indices.map { (names[$0], samples[$0].sorted()[10]) }
  }
}
