import KVBlocks
import Testing

@testable import KVCodec

/// Damage with intent: frames whose checksums are right and whose fields lie. None may crash, read outside the frame,
/// or allocate what it merely claims.
@Suite struct CraftedFrameTests {
  private static func block(_ elementType: ElementType = .bf16) throws -> BlockFixture {
    let row = 20 * elementType.unitByteCount
    let layout = try layout(elementType, rowByteCount: row, blockTokenCount: 16)
    return BlockFixture(layout: layout, tokenCount: 13) { plane, rows in
      let content: AdversarialContent = plane == 0 ? .smooth : .sparse
      content.fill(rows, rowByteCount: row, elementType: elementType, seed: UInt64(plane))
    }
  }

  /// Makes all checksums of a changed frame right again, as far as its lengths allow.
  private static func reseal(_ bytes: inout [UInt8], headerByteCount: Int, planes: [FrameHeader.PlaneEntry]) {
    bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      for (index, plane) in planes.enumerated() where plane.offset + plane.storedByteCount <= buffer.count {
        let entry = FrameFormat.fixedHeaderByteCount + index * FrameFormat.planeEntryByteCount
        base.storeLittleEndian(FrameFormat.checksum(base + plane.offset, plane.storedByteCount), at: entry + 16)
      }
      let body = headerByteCount - FrameFormat.checksumByteCount
      base.storeLittleEndian(FrameFormat.checksum(base, body), at: body)
    }
  }

  /// The message with which a frame, changed by `change` and sealed again, is refused; nil where it is not.
  private func refusal(
    of block: BlockFixture, _ change: (inout [UInt8], FrameHeader) -> Void
  ) throws -> String? {
    var bytes = try block.encoded()
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    change(&bytes, header)
    Self.reseal(&bytes, headerByteCount: header.headerByteCount, planes: header.planes)
    do {
      _ = try decode(bytes, layout: block.layout, expecting: block.descriptor.key)
      return nil
    } catch let error as FrameError {
      return error.message
    }
  }

  @Test(arguments: [(8, 2), (10, 2), (11, 1), (108, 1), (112, 9), (113, 99), (114, 2), (115, 2)] as [(Int, UInt8)])
  func `what this version does not know is named as a newer one's`(offset: Int, value: UInt8) throws {
    let message = try refusal(of: Self.block()) { bytes, _ in bytes[offset] = value }
    #expect(message?.contains("a newer kvpager wrote it") == true, "\(message ?? "accepted")")
  }

  @Test(arguments: [12, 16, 20, 28, 96, 100, 104, 116, 120, 124])
  func `a length that lies is refused`(offset: Int) throws {
    for value in [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff] as [UInt32] {
      let message = try refusal(of: Self.block()) { bytes, _ in
        bytes.withUnsafeMutableBytes { $0.baseAddress!.storeLittleEndian(value, at: offset) }
      }
      let unchanged = try Self.block().encoded().withUnsafeBytes { $0.littleEndian(offset, as: UInt32.self) }
      #expect(message != nil || value == unchanged, "\(value) at \(offset)")
    }
  }

  @Test(arguments: [ElementType.bf16, .q8_0, .f32])
  func `a part whose lengths lie is refused`(elementType: ElementType) throws {
    let block = try Self.block(elementType)
    for plane in 0..<2 {
      for field in [0, 4] {
        for value in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as [UInt32] {
          let message = try refusal(of: block) { bytes, header in
            let at = header.planes[plane].offset + field
            bytes.withUnsafeMutableBytes { $0.baseAddress!.storeLittleEndian(value, at: at) }
          }
          #expect(message != nil, "\(value) in field \(field) of plane \(plane)")
        }
      }
    }
  }

  @Test(arguments: ElementType.allCases)
  func `frames of random lies with right checksums neither crash nor overrun`(elementType: ElementType) throws {
    let block = try Self.block(elementType)
    let original = try block.encoded()
    let header = try withPieces(original) { try FrameHeader.parse($0) }
    var decoder = BlockDecoder()
    var generator = SeededGenerator(seed: 0xc0dec + UInt64(elementType.rawValue))
    var refusals = 0
    for round in 0..<3000 {
      var bytes = original
      for _ in 0...generator.next() % 4 {
        // Mostly into the planes' first bytes, where heads and bitmaps lie.
        let plane = header.planes[Int(generator.next() % UInt64(header.planes.count))]
        let span = generator.next() % 3 == 0 ? plane.storedByteCount : min(plane.storedByteCount, 60)
        let place =
          generator.next() % 8 == 0
          ? Int(generator.next() % UInt64(header.headerByteCount)) : plane.offset + Int(generator.next() % UInt64(span))
        bytes[place] = [0, 0xff, UInt8(truncatingIfNeeded: generator.next())][Int(generator.next() % 3)]
      }
      Self.reseal(&bytes, headerByteCount: header.headerByteCount, planes: header.planes)
      do {
        _ = try decode(
          bytes, layout: block.layout, expecting: block.descriptor.key, cutAt: [round % original.count],
          decoder: &decoder)
      } catch is FrameError {
        refusals += 1
      }
      _ = try? withPieces(bytes) { try FrameHeader.parse($0) }
    }
    #expect(refusals > 0)
  }

  @Test func `a blob that claims more than is expected is refused before any memory is taken`() throws {
    let key = BlockKey(space: SpaceID(rawValue: 1), hash: ChainHash.root(seed: "bomb"))
    var encoder = BlockEncoder()
    var decoder = BlockDecoder()
    let zeros = [UInt8](repeating: 0, count: 100_000)
    var bytes = try zeros.withUnsafeBytes { Array(try encoder.encodeBlob($0, identifier: key)) }
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    for claim in [100_001, 0x7fff_ffff, 0xffff_ffff] as [UInt32] {
      bytes.withUnsafeMutableBytes { $0.baseAddress!.storeLittleEndian(claim, at: 120) }
      Self.reseal(&bytes, headerByteCount: header.headerByteCount, planes: header.planes)
      #expect(throws: FrameError.self) {
        try withPieces(bytes) { try decoder.decodeBlob($0, expecting: key, byteCountLimit: 100_000) }
      }
    }
  }

  @Test func `a layout that no engine means is refused when the header is read`() throws {
    let block = try Self.block()
    var bytes = try block.encoded()
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    bytes[116] = bytes[112 + 24 + 4]  // the first plane's layer and kind: now the same plane stands twice
    bytes[112] = bytes[112 + 24]
    Self.reseal(&bytes, headerByteCount: header.headerByteCount, planes: header.planes)
    #expect(throws: FrameError.self) { try withPieces(bytes) { try FrameHeader.parse($0) } }
  }
}
