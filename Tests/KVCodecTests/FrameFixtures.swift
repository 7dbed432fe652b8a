import KVBlocks

@testable import KVCodec

/// SplitMix64: the same numbers everywhere for one seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// A block with all it needs to be encoded and compared.
struct BlockFixture {
  let layout: BlockLayout
  let descriptor: BlockDescriptor
  /// A whole frame; rows past the tokens hold 0xa5, which must never matter.
  let frame: [UInt8]

  init(
    layout: BlockLayout, tokenCount: Int, space: UInt32 = 7, extra: [ExtraKey] = [],
    fill: (_ plane: Int, _ rows: UnsafeMutableRawBufferPointer) -> Void
  ) {
    self.layout = layout
    descriptor = BlockDescriptor(
      space: SpaceID(rawValue: space), parent: ChainHash.root(seed: "fixture"),
      tokens: (0..<tokenCount).map { Token($0 &* 7919 - 3) }, extra: extra)
    var frame = [UInt8](repeating: 0xa5, count: layout.frameByteCount)
    frame.withUnsafeMutableBytes { bytes in
      for plane in layout.planes.indices {
        let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
        fill(plane, UnsafeMutableRawBufferPointer(rebasing: bytes[range]))
      }
    }
    self.frame = frame
  }

  var tokenCount: Int { descriptor.tokens.count }

  func encoded(_ encoder: inout BlockEncoder) throws -> [UInt8] {
    try frame.withUnsafeBytes { Array(try encoder.encode(descriptor, layout: layout, frame: $0)) }
  }

  func encoded() throws -> [UInt8] {
    var encoder = BlockEncoder()
    return try encoded(&encoder)
  }

  /// The rows of one plane.
  func rows(ofPlane plane: Int, _ rows: Range<Int>? = nil) -> [UInt8] {
    Array(frame[layout.byteRange(ofPlane: plane, rows: rows ?? 0..<tokenCount)])
  }

  /// Nil where `decoded` has this block's rows in every plane, else a text that names the first plane that differs.
  func difference(from decoded: [UInt8]) -> String? {
    for plane in layout.planes.indices {
      let range = layout.byteRange(ofPlane: plane, rows: 0..<tokenCount)
      if decoded[range] != frame[range] { return "plane \(plane), \(layout.planes[plane].elementType)" }
    }
    return nil
  }
}

/// Decodes a frame that lies in one piece.
func decode(
  _ bytes: [UInt8], layout: BlockLayout, expecting key: BlockKey, cutAt cuts: [Int] = []
) throws -> (tokenCount: Int, frame: [UInt8]) {
  var decoder = BlockDecoder()
  return try decode(bytes, layout: layout, expecting: key, cutAt: cuts, decoder: &decoder)
}

func decode(
  _ bytes: [UInt8], layout: BlockLayout, expecting key: BlockKey, cutAt cuts: [Int] = [], decoder: inout BlockDecoder
) throws -> (tokenCount: Int, frame: [UInt8]) {
  var frame = [UInt8](repeating: 0x5a, count: layout.frameByteCount)
  let count = try withPieces(bytes, cutAt: cuts) { pieces in
    try frame.withUnsafeMutableBytes {
      try decoder.decode(pieces, layout: layout, expecting: key, into: $0)
    }
  }
  return (count, frame)
}

/// Gives `body` the bytes in pieces of their own memory, exactly as long as they are, cut at `cuts`.
func withPieces<R>(_ bytes: [UInt8], cutAt cuts: [Int] = [], _ body: (FramePieces) throws -> R) rethrows -> R {
  var pieces: [UnsafeRawBufferPointer] = []
  defer { for piece in pieces { piece.deallocate() } }
  var start = 0
  for end in cuts.sorted() + [bytes.count] {
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: end - start, alignment: 1)
    piece.copyBytes(from: bytes[start..<end])
    pieces.append(UnsafeRawBufferPointer(piece))
    start = end
  }
  return try body(FramePieces(pieces))
}

func layout(
  _ elementType: ElementType, rowByteCount: Int, blockTokenCount: Int, planes: Int = 2
) throws -> BlockLayout {
  try BlockLayout(
    blockTokenCount: blockTokenCount,
    planes: (0..<planes).map {
      PlaneLayout(
        Plane($0 % 2 == 0 ? .keys : .values, layer: $0 / 2), elementType: elementType, rowByteCount: rowByteCount)
    })
}
