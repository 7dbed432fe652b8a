import KVBlocks
import Testing

@testable import KVCodec

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// Frames written when format 1 was settled. They decode for ever; should a test here fail, the format has changed and
/// needs a new version number.
@Suite struct GoldenFrameTests {
  /// All element types, sparse and dense planes, rows and columns left over, an extra key.
  private static func block() throws -> BlockFixture {
    let types = ElementType.allCases
    let planes = types.enumerated().map {
      PlaneLayout(
        Plane($0.offset % 2 == 0 ? .keys : .values, layer: $0.offset / 2), elementType: $0.element,
        rowByteCount: $0.element.unitByteCount * ($0.element.unitValueCount == 1 ? 19 : 3))
    }
    let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
    return BlockFixture(layout: layout, tokenCount: 11, space: 42, extra: [.lora(name: "golden")]) { plane, rows in
      AdversarialContent.smooth.fill(
        rows, rowByteCount: planes[plane].rowByteCount, elementType: types[plane], seed: UInt64(plane))
    }
  }

  private static let path =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    + "/data/golden/frame-v1.hex"

  private static func golden() throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw SampleRows.Failure(message: "no golden frame at \(path)") }
    defer { fclose(file) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      text += buffer[..<count]
    }
    return try #require(Hex.bytes(of: String(decoding: text.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)))
  }

  @Test func `the golden frame of format 1 decodes to its rows`() throws {
    let block = try Self.block()
    let bytes = try Self.golden()
    let decoded = try decode(bytes, layout: block.layout, expecting: block.descriptor.key)
    #expect(block.difference(from: decoded.frame) == nil)
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    #expect(header.descriptor == block.descriptor)
    #expect(try header.layout() == block.layout)
    #expect(Set(header.planes.map(\.filter)) == Set(PlaneFilter.allCases))
    #expect(Set(header.planes.map(\.compressor)) == Set(PlaneCompressor.allCases))
  }

  @Test func `a frame written today has the golden frame's header but for lengths and checksums`() throws {
    // The LZ4 library may choose other matches one day; everything else of the bytes is ours.
    let block = try Self.block()
    let golden = try withPieces(try Self.golden()) { try FrameHeader.parse($0) }
    let fresh = try withPieces(try block.encoded()) { try FrameHeader.parse($0) }
    #expect(fresh.headerByteCount == golden.headerByteCount)
    #expect(fresh.planes.map(\.filter) == golden.planes.map(\.filter))
    #expect(fresh.planes.map(\.layout) == golden.planes.map(\.layout))
    for (a, b) in zip(fresh.planes, golden.planes) where a.compressor == .none && b.compressor == .none {
      #expect(a.checksum == b.checksum, "\(a.layout.plane)")
    }
  }

  @Test func `the header's fields stand where the format's text says`() throws {
    let block = try Self.block()
    let bytes = try Self.golden()
    bytes.withUnsafeBytes { raw in
      #expect(Array(raw[..<8]) == Array("KVPFRAME".utf8))
      #expect(raw.littleEndian(8, as: UInt16.self) == 1)
      #expect(raw[10] == 0)
      #expect(
        raw.littleEndian(12, as: UInt32.self)
          == (112 + 24 * 7 + 4 * 11 + UInt32(block.descriptor.encodedExtra.count) + 7) / 8 * 8 + 8)
      #expect(raw.littleEndian(16, as: UInt64.self) == UInt64(bytes.count))
      #expect(raw.littleEndian(24, as: UInt32.self) == 42)
      #expect(raw.littleEndian(28, as: UInt32.self) == 16)
      #expect(Array(raw[32..<64]) == block.descriptor.key.hash.bytes)
      #expect(Array(raw[64..<96]) == block.descriptor.parent.bytes)
      #expect(raw.littleEndian(96, as: UInt32.self) == 11)
      #expect(raw.littleEndian(100, as: UInt32.self) == UInt32(block.descriptor.encodedExtra.count))
      #expect(raw.littleEndian(104, as: UInt32.self) == 7)
      #expect(raw.littleEndian(112 + 24 * 7, as: Int32.self) == block.descriptor.tokens[0])
    }
  }

  /// Writes the golden frame anew: only ever for a new format, under a new name.
  @Test(.enabled(if: getenv("KVPAGER_WRITE_GOLDEN") != nil))
  func `write the golden frame`() throws {
    let hex = Array(Hex.string(of: try Self.block().encoded()).utf8)
    let file = try #require(fopen(Self.path, "wb"))
    defer { fclose(file) }
    for start in stride(from: 0, to: hex.count, by: 120) {
      let line = Array(hex[start..<min(start + 120, hex.count)]) + [UInt8(ascii: "\n")]
      fwrite(line, 1, line.count, file)
    }
  }
}
