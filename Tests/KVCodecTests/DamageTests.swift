import KVBlocks
import Testing

@testable import KVCodec

/// Damage by accident: the checksums find it.
@Suite struct DamageTests {
  private static func block() throws -> BlockFixture {
    let layout = try layout(.bf16, rowByteCount: 32, blockTokenCount: 16)
    return BlockFixture(layout: layout, tokenCount: 13, extra: [.cacheSalt("salt")]) { plane, rows in
      AdversarialContent.smooth.fill(rows, rowByteCount: 32, elementType: .bf16, seed: UInt64(plane))
    }
  }

  @Test func `every flipped bit is found`() throws {
    let block = try Self.block()
    var bytes = try block.encoded()
    var decoder = BlockDecoder()
    for bit in 0..<8 * bytes.count {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: FrameError.self, "bit \(bit % 8) of byte \(bit / 8)") {
        try decode(bytes, layout: block.layout, expecting: block.descriptor.key, decoder: &decoder)
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }

  @Test func `flipped bits in a frame of real rows are found`() throws {
    let block = try SampleRows.read("smollm2-135m_48tok_bf16_fa.v4.ggsq").block(first: 0, tokenCount: 16)
    var bytes = try block.encoded()
    var decoder = BlockDecoder()
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<200 {
      let bit = Int(generator.next() % UInt64(8 * bytes.count))
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(throws: FrameError.self, "bit \(bit)") {
        try decode(bytes, layout: block.layout, expecting: block.descriptor.key, decoder: &decoder)
      }
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
  }

  @Test func `every truncation is found`() throws {
    let block = try Self.block()
    let bytes = try block.encoded()
    for count in 0..<bytes.count {
      #expect(throws: FrameError.self, "\(count) of \(bytes.count) bytes") {
        try decode(Array(bytes[..<count]), layout: block.layout, expecting: block.descriptor.key)
      }
    }
    #expect(throws: FrameError.self) { try FrameHeader.parse(FramePieces([])) }
  }

  @Test func `another block's frame is refused`() throws {
    let block = try Self.block()
    let bytes = try block.encoded()
    let key = block.descriptor.key
    for wrong in [
      BlockKey(space: SpaceID(rawValue: 8), hash: key.hash), BlockKey(space: key.space, hash: block.descriptor.parent),
    ] {
      #expect(throws: FrameError.self) { try decode(bytes, layout: block.layout, expecting: wrong) }
    }
  }

  @Test func `another layout's frame is refused`() throws {
    let block = try Self.block()
    let bytes = try block.encoded()
    for other in [
      try layout(.f16, rowByteCount: 32, blockTokenCount: 16), try layout(.bf16, rowByteCount: 34, blockTokenCount: 16),
      try layout(.bf16, rowByteCount: 32, blockTokenCount: 32),
      try layout(.bf16, rowByteCount: 32, blockTokenCount: 16, planes: 3),
    ] {
      #expect(throws: FrameError.self) { try decode(bytes, layout: other, expecting: block.descriptor.key) }
    }
  }

  @Test func `a block is no blob and a blob no block`() throws {
    let block = try Self.block()
    let key = block.descriptor.key
    var encoder = BlockEncoder()
    var decoder = BlockDecoder()
    let blob = try [UInt8](repeating: 1, count: 999).withUnsafeBytes {
      Array(try encoder.encodeBlob($0, identifier: key))
    }
    #expect(throws: FrameError.self) { try decode(blob, layout: block.layout, expecting: key) }
    let bytes = try block.encoded()
    #expect(throws: FrameError.self) {
      try withPieces(bytes) { try decoder.decodeBlob($0, expecting: key, byteCountLimit: 1 << 20) }
    }
  }
}
