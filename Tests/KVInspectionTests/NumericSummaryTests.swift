import Foundation
import KVBlocks
import Testing

@testable import KVInspection

@Suite struct `the numbers of a plane` {
  /// What a plane of these values is like, the slow way: every value kept, sorted, summed in order.
  private static func check(
    _ type: ElementType, _ bytes: [UInt8], against values: [Double], _ location: SourceLocation = #_sourceLocation
  ) throws {
    let summary = bytes.withUnsafeBytes { NumericSummary(type, $0) }
    let finite = values.filter(\.isFinite).sorted()
    #expect(summary.valueCount == values.count, sourceLocation: location)
    #expect(summary.nanCount == values.count(where: \.isNaN), sourceLocation: location)
    #expect(summary.infiniteCount == values.count(where: \.isInfinite), sourceLocation: location)
    #expect(summary.zeroCount == values.count { $0 == 0 }, sourceLocation: location)
    #expect(summary.histogram.reduce(0, +) == finite.count, sourceLocation: location)
    guard let least = finite.first, let most = finite.last else { return }
    #expect(summary.minimum == least && summary.maximum == most, sourceLocation: location)
    let mean = finite.reduce(0, +) / Double(finite.count)
    let variance = finite.reduce(0) { $0 + pow($1 - mean, 2) } / Double(finite.count)
    let unit = max(abs(least), abs(most), 1e-300)
    #expect(abs(summary.mean - mean) <= 1e-12 * unit, sourceLocation: location)
    #expect(abs(summary.standardDeviation - variance.squareRoot()) <= 1e-12 * unit, sourceLocation: location)
    for part in 0..<NumericSummary.binCount {
      let width = (most - least) / Double(NumericSummary.binCount)
      let (low, high) = (least + Double(part) * width, least + Double(part + 1) * width)
      // A value on an edge may fall to either side.
      let inside = finite.count { $0 > low + 1e-9 * unit && $0 < high - 1e-9 * unit }
      let near = finite.count { $0 >= low - 1e-9 * unit && $0 <= high + 1e-9 * unit }
      if least < most { #expect((inside...near).contains(summary.histogram[part]), sourceLocation: location) }
    }
  }

  private static func bytes(_ values: [some FixedWidthInteger]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
  }

  private static var waves: [Float] {
    (0..<1000).map { index in
      let phase = Float(index)
      return 3 * sin(phase * 0.37) + 0.01 * phase - 2
    }
  }

  @Test func `floats, halves and brain floats are counted as they are`() throws {
    let odd: [Float] = [0, -0.0, .nan, .infinity, -.infinity, -.nan, 0.5, -7, 65_504, 1e-7]
    let floats = Self.waves + odd
    try Self.check(.f32, Self.bytes(floats.map(\.bitPattern)), against: floats.map(Double.init))
    let brain = floats.map { UInt32($0.bitPattern >> 16) }
    try Self.check(
      .bf16, Self.bytes(brain.map { UInt16($0) }), against: brain.map { Double(Float(bitPattern: $0 << 16)) })
    #if !arch(x86_64) || !canImport(Darwin)
      let halves = floats.map { Float16($0) }
      try Self.check(.f16, Self.bytes(halves.map(\.bitPattern)), against: halves.map(Double.init))
    #endif
  }

  #if !arch(x86_64) || !canImport(Darwin)
    @Test func `every half there is becomes its very float`() {
      for bits in UInt16.min...UInt16.max {
        let (ours, theirs) = (Float(halfBits: bits), Float(Float16(bitPattern: bits)))
        #expect(ours.isNaN == theirs.isNaN && (ours.isNaN || ours.bitPattern == theirs.bitPattern), "\(bits)")
      }
    }
  #endif

  @Test func `bytes with a sign are whole numbers`() throws {
    let values = (0..<777).map { Int8(truncatingIfNeeded: $0 &* 37) }
    try Self.check(.i8, values.map { UInt8(bitPattern: $0) }, against: values.map(Double.init))
  }

  /// ggml's units: a scale, then 32 bytes; a scale, then 32 nibbles of which the low ones are the first 16 values.
  @Test func `quantised values are multiplied with their scale`() throws {
    let scales: [(bits: UInt16, value: Double)] = [
      (0x3c00, 1), (0x2e66, 0.0999755859375), (0xb800, -0.5), (0x0001, 5.9604644775390625e-08), (0, 0),
    ]
    var (q8, q8Values, q4, q4Values): ([UInt8], [Double], [UInt8], [Double]) = ([], [], [], [])
    for unit in 0..<160 {
      let scale = scales[unit % scales.count]
      let numbers = (0..<32).map { Int8(truncatingIfNeeded: 7 &* unit &+ 11 &* $0) }
      q8 += Self.bytes([scale.bits]) + numbers.map { UInt8(bitPattern: $0) }
      q8Values += numbers.map { scale.value * Double($0) }
      let nibbles = (0..<32).map { UInt8((unit + 3 * $0) % 16) }
      q4 += Self.bytes([scale.bits]) + (0..<16).map { nibbles[$0] | nibbles[$0 + 16] << 4 }
      q4Values += nibbles.map { scale.value * (Double($0) - 8) }
    }
    try Self.check(.q8_0, q8, against: q8Values)
    try Self.check(.q4_0, q4, against: q4Values)
  }

  @Test func `planes of no finite value, of one value and of the farthest values have no figures that lie`() throws {
    let nothing = Self.bytes([Float.nan, .infinity].map(\.bitPattern)).withUnsafeBytes { NumericSummary(.f32, $0) }
    #expect(nothing.finiteCount == 0)
    #expect(nothing.json.text(isIndented: false).contains(#""mean":null"#))
    try Self.check(
      .f32, Self.bytes([Float](repeating: 2.5, count: 9).map(\.bitPattern)), against: .init(repeating: 2.5, count: 9))
    let far: [Float] = [-.greatestFiniteMagnitude, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 0]
    try Self.check(.f32, Self.bytes(far.map(\.bitPattern)), against: far.map(Double.init))
  }
}

@Suite struct `a plane's rows for other programs` {
  private static func written(_ type: ElementType, _ bytes: [UInt8], rows: Int, as format: PlaneRows.Format) throws
    -> [UInt8]
  {
    try bytes.withUnsafeBytes { raw in
      let layout = PlaneLayout(Plane(.keys, layer: 7), elementType: type, rowByteCount: bytes.count / rows)
      var written: [UInt8] = []
      try PlaneRows(layout: layout, tokenCount: rows, bytes: raw).write(as: format) { written += $0 }
      return written
    }
  }

  /// Reads the file as NumPy's own description of the format says.
  private static func read(_ file: [UInt8]) throws -> (header: String, data: [UInt8]) {
    #expect(Array(file.prefix(8)) == [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])
    let length = Int(file[8]) | Int(file[9]) << 8
    #expect((10 + length) % 64 == 0 && file[10 + length - 1] == 0x0a)
    return (String(decoding: file[10..<10 + length], as: UTF8.self), Array(file[(10 + length)...]))
  }

  @Test func `NumPy gets halves as halves and brain floats as floats`() throws {
    let bytes = (0..<96).map { UInt8($0) }
    let halves = try Self.read(try Self.written(.f16, bytes, rows: 3, as: .npy))
    #expect(halves.header.hasPrefix("{'descr': '<f2', 'fortran_order': False, 'shape': (3, 16), }"))
    #expect(halves.data == bytes)
    let brain = try Self.read(try Self.written(.bf16, bytes, rows: 3, as: .npy))
    #expect(brain.header.contains("'<f4'") && brain.header.contains("(3, 16)"))
    let widened = stride(from: 0, to: 96, by: 2).flatMap { place -> [UInt8] in [0, 0, bytes[place], bytes[place + 1]] }
    #expect(brain.data == widened)
    #expect(try Self.read(try Self.written(.i8, bytes, rows: 8, as: .npy)).header.contains("'|i1'"))
    #expect(
      try Self.read(try Self.written(.raw, bytes, rows: 2, as: .npy)).header.contains(
        "'|u1', 'fortran_order': False, 'shape': (2, 48)"))
  }

  @Test func `quantised rows are written multiplied, or as they are`() throws {
    // 2 rows of 2 units: scale 2, and each byte its place.
    let unit: [UInt8] = [0x00, 0x40] + (0..<32).map { UInt8($0) }
    let bytes = unit + unit + unit + unit
    let numbers = try Self.read(try Self.written(.q8_0, bytes, rows: 2, as: .npy))
    #expect(numbers.header.contains("'<f4'") && numbers.header.contains("(2, 64)"))
    let values = stride(from: 0, to: numbers.data.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(numbers.data[start + $1]) << (8 * UInt32($1)) })
    }
    let wanted = (0..<128).map { place in Float(2 * (place % 32)) }
    #expect(values == wanted)
    #expect(try Self.written(.q8_0, bytes, rows: 2, as: .raw) == bytes)
  }

  @Test func `text gives the very values again`() throws {
    let floats: [Float] = [0.1, -3, 1e-30, .nan, .infinity, 16_777_216]
    let bytes = floats.flatMap { float in withUnsafeBytes(of: float.bitPattern.littleEndian) { Array($0) } }
    let text = String(decoding: try Self.written(.f32, bytes, rows: 2, as: .text), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3 && lines[0].hasPrefix("# layer 7 keys, 2 tokens x 3 values, f32"))
    let read = lines.dropFirst().flatMap { $0.split(separator: " ").compactMap { Float($0) } }
    #expect(read.map(\.bitPattern) == floats.map(\.bitPattern))
  }
}
