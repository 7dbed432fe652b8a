import KVBlocks
import Testing

@testable import KVCodec

/// Frames that lie in pieces, and planes read alone.
@Suite struct PieceTests {
  private func block(tokenCount: Int = 11) throws -> BlockFixture {
    let types: [ElementType] = [.bf16, .q8_0, .raw, .f32]
    let planes = types.enumerated().map {
      PlaneLayout(Plane(.values, layer: $0.offset), elementType: $0.element, rowByteCount: 2 * $0.element.unitByteCount)
    }
    let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
    return BlockFixture(layout: layout, tokenCount: tokenCount) { plane, rows in
      AdversarialContent.smooth.fill(
        rows, rowByteCount: planes[plane].rowByteCount, elementType: types[plane], seed: UInt64(plane))
    }
  }

  @Test func `a frame cut anywhere decodes alike`() throws {
    let block = try block()
    let bytes = try block.encoded()
    var decoder = BlockDecoder()
    var cuts = (0...bytes.count).map { [$0] }
    cuts += (0..<bytes.count).map { [$0, $0 + 1] }
    cuts += (0..<bytes.count).map { [$0, $0, min($0 + 3, bytes.count), min($0 + 200, bytes.count)] }
    cuts.append(Array(0..<bytes.count))
    for cut in cuts {
      let decoded = try decode(
        bytes, layout: block.layout, expecting: block.descriptor.key, cutAt: cut, decoder: &decoder)
      #expect(block.difference(from: decoded.frame) == nil, "cut at \(cut)")
    }
  }

  @Test func `bytes after the frame are ignored`() throws {
    let block = try block()
    let bytes = try block.encoded() + [UInt8](repeating: 0xcc, count: 4097)
    let decoded = try decode(bytes, layout: block.layout, expecting: block.descriptor.key, cutAt: [500])
    #expect(block.difference(from: decoded.frame) == nil)
  }

  @Test(arguments: [1, 8, 11, 16])
  func `one plane's rows equal those of the whole block`(tokenCount: Int) throws {
    let block = try block(tokenCount: tokenCount)
    let bytes = try block.encoded()
    var decoder = BlockDecoder()
    for plane in block.layout.planes.indices {
      for first in 0...tokenCount {
        for end in first...tokenCount {
          let expected = block.rows(ofPlane: plane, first..<end)
          var rows = [UInt8](repeating: 0x33, count: expected.count)
          let count = try withPieces(bytes, cutAt: [bytes.count / 3, bytes.count / 2]) { pieces in
            try rows.withUnsafeMutableBytes {
              try decoder.decodePlane(
                pieces, layout: block.layout, expecting: block.descriptor.key, plane: plane, rows: first..<end, into: $0
              )
            }
          }
          #expect(count == tokenCount)
          #expect(rows == expected, "plane \(plane), rows \(first)..<\(end)")
        }
      }
    }
  }

  @Test func `a plane is read though another one is damaged`() throws {
    let block = try block()
    var bytes = try block.encoded()
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    bytes[header.planes[1].offset] ^= 1
    var decoder = BlockDecoder()
    for plane in block.layout.planes.indices {
      var rows = [UInt8](repeating: 0, count: block.rows(ofPlane: plane).count)
      func read() throws -> Int {
        try withPieces(bytes) { pieces in
          try rows.withUnsafeMutableBytes {
            try decoder.decodePlane(
              pieces, layout: block.layout, expecting: block.descriptor.key, plane: plane, rows: 0..<11, into: $0)
          }
        }
      }
      if plane == 1 {
        #expect(throws: FrameError.self) { try read() }
      } else {
        #expect(try read() == 11)
        #expect(rows == block.rows(ofPlane: plane))
      }
    }
  }

  @Test func `rows past the block's tokens are refused`() throws {
    let block = try block()
    let bytes = try block.encoded()
    var decoder = BlockDecoder()
    var rows = [UInt8](repeating: 0, count: 12 * block.layout.planes[0].rowByteCount)
    #expect(throws: FrameError.self) {
      try withPieces(bytes) { pieces in
        try rows.withUnsafeMutableBytes {
          try decoder.decodePlane(
            pieces, layout: block.layout, expecting: block.descriptor.key, plane: 0, rows: 0..<12, into: $0)
        }
      }
    }
  }

  @Test func `the header tells all that salvage needs`() throws {
    let block = try block()
    let bytes = try block.encoded()
    let header = try withPieces(bytes) { try FrameHeader.parse($0) }
    #expect(header.descriptor == block.descriptor)
    #expect(try header.layout() == block.layout)
    #expect(header.rawByteCount == block.layout.payloadByteCount(tokenCount: 11))
    #expect(header.planes.last.map { $0.offset + $0.storedByteCount } == bytes.count)
    let alone = try withPieces(Array(bytes[..<header.headerByteCount])) { try FrameHeader.parse($0) }
    #expect(alone == header)
  }
}
