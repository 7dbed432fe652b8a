import KVBlocks
import Testing

@testable import KVCodec

@Suite struct RoundTripTests {
  /// Units in a row: around the widths of all vectors and strips, odd ones too.
  static let unitCounts = [1, 7, 8, 9, 33, 64, 65, 127]

  @Test(arguments: ElementType.allCases)
  func `every content of every size comes back to the bit`(elementType: ElementType) throws {
    var encoder = BlockEncoder()
    var decoder = BlockDecoder()
    for unitCount in Self.unitCounts {
      for tokenCount in unitCount > 60 ? [2, 17] : [1, 7, 8, 9, 23] {
        let row = unitCount * elementType.unitByteCount
        let layout = try layout(elementType, rowByteCount: row, blockTokenCount: 23)
        for content in AdversarialContent.allCases {
          let block = BlockFixture(layout: layout, tokenCount: tokenCount) { plane, rows in
            content.fill(rows, rowByteCount: row, elementType: elementType, seed: UInt64(unitCount * 100 + plane))
          }
          let bytes = try block.encoded(&encoder)
          let decoded = try decode(bytes, layout: layout, expecting: block.descriptor.key, decoder: &decoder)
          #expect(decoded.tokenCount == tokenCount)
          let difference = block.difference(from: decoded.frame)
          #expect(difference == nil, "\(content), \(unitCount) units, \(tokenCount) tokens")
        }
      }
    }
  }

  @Test func `planes of different types lie in one block`() throws {
    let types = ElementType.allCases
    let planes = types.enumerated().map {
      PlaneLayout(Plane(.keys, layer: $0.offset), elementType: $0.element, rowByteCount: 5 * $0.element.unitByteCount)
    }
    let layout = try BlockLayout(blockTokenCount: 40, planes: planes)
    let block = BlockFixture(layout: layout, tokenCount: 40, extra: [.lora(name: "adapter")]) { plane, rows in
      AdversarialContent.smooth.fill(
        rows, rowByteCount: planes[plane].rowByteCount, elementType: types[plane], seed: UInt64(plane))
    }
    let decoded = try decode(try block.encoded(), layout: layout, expecting: block.descriptor.key)
    #expect(block.difference(from: decoded.frame) == nil)
  }

  @Test func `a frame is never larger than its header and its raw rows`() throws {
    for elementType in ElementType.allCases {
      let row = 33 * elementType.unitByteCount
      let layout = try layout(elementType, rowByteCount: row, blockTokenCount: 13)
      for content in AdversarialContent.allCases {
        let block = BlockFixture(layout: layout, tokenCount: 13) { _, rows in
          content.fill(rows, rowByteCount: row, elementType: elementType, seed: 5)
        }
        let bytes = try block.encoded()
        let header = try withPieces(bytes) { try FrameHeader.parse($0) }
        #expect(bytes.count <= header.headerByteCount + layout.payloadByteCount(tokenCount: 13))
        #expect(header.frameByteCount == bytes.count)
      }
    }
  }

  @Test func `rows past the last token never reach the frame`() throws {
    let layout = try layout(.bf16, rowByteCount: 128, blockTokenCount: 16)
    let block = BlockFixture(layout: layout, tokenCount: 5) { _, rows in
      AdversarialContent.smooth.fill(rows, rowByteCount: 128, elementType: .bf16, seed: 1)
    }
    var encoder = BlockEncoder()
    let first = try block.encoded(&encoder)
    var other = block.frame
    for plane in layout.planes.indices {
      for i in layout.byteRange(ofPlane: plane, rows: 5..<16) { other[i] = 0x11 }
    }
    let second = try other.withUnsafeBytes { Array(try encoder.encode(block.descriptor, layout: layout, frame: $0)) }
    #expect(first == second)
  }

  @Test(arguments: [0, 1, 100, 1 << 20, (1 << 20) + 1, 3_000_000])
  func `a blob comes back whole`(byteCount: Int) throws {
    var generator = SeededGenerator(seed: UInt64(byteCount))
    let blob = (0..<byteCount).map {
      UInt8(truncatingIfNeeded: $0 < byteCount / 2 ? UInt64($0 / 100) : generator.next())
    }
    let key = BlockKey(space: SpaceID(rawValue: 1), hash: ChainHash.root(seed: "blob"))
    var encoder = BlockEncoder()
    var decoder = BlockDecoder()
    let bytes = try blob.withUnsafeBytes { Array(try encoder.encodeBlob($0, identifier: key)) }
    let decoded = try withPieces(bytes) {
      try decoder.decodeBlob($0, expecting: key, byteCountLimit: byteCount)
    }
    #expect(decoded == blob)
    if byteCount > 0 {
      #expect(throws: FrameError.self) {
        try withPieces(bytes) { try decoder.decodeBlob($0, expecting: key, byteCountLimit: byteCount - 1) }
      }
    }
  }
}
