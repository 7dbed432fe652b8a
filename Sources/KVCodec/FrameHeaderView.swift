import KVBlocks

/// A header whose checksum, version and lengths are verified, read where it lies: the decoders' way, which allocates
/// nothing. Valid as long as the pieces and the scratch that it was gathered into.
struct FrameHeaderView {
  let bytes: UnsafeRawBufferPointer
  let kind: FrameHeader.Kind
  let tokenCount: Int
  let extraByteCount: Int
  let planeCount: Int
  let blockTokenCount: Int
  let headerByteCount: Int
  let frameByteCount: Int

  init(_ pieces: FramePieces, scratch: inout Scratch) throws(FrameError) {
    let smallest = FrameFormat.headerByteCount(planeCount: 0, tokenCount: 0, extraByteCount: 0)
    guard pieces.byteCount >= smallest else {
      throw FrameError("a frame of \(pieces.byteCount) bytes; its header alone has \(smallest) or more")
    }
    let fixed = pieces.contiguous(0..<FrameFormat.fixedHeaderByteCount, scratch: &scratch)
    guard fixed.littleEndian(0, as: UInt64.self) == FrameFormat.magic else {
      throw FrameError("no frame: the magic at offset 0 is missing")
    }
    let version = fixed.littleEndian(8, as: UInt16.self)
    guard version == FrameFormat.version else {
      if version > FrameFormat.version {
        throw FrameError(
          "frame format \(version) at offset 8: a newer kvpager wrote it; this one reads format \(FrameFormat.version)")
      }
      throw FrameError("frame format \(version) at offset 8 never existed")
    }
    let headerByteCount = Int(fixed.littleEndian(12, as: UInt32.self))
    guard headerByteCount >= smallest, headerByteCount <= pieces.byteCount, headerByteCount % 8 == 0 else {
      throw FrameError("a header of \(headerByteCount) bytes at offset 12, in a frame of \(pieces.byteCount)")
    }
    let bytes = pieces.contiguous(0..<headerByteCount, scratch: &scratch)
    let body = headerByteCount - FrameFormat.checksumByteCount
    guard FrameFormat.checksum(bytes.baseAddress, body) == bytes.littleEndian(body, as: UInt64.self) else {
      throw FrameError("the header's checksum at offset \(body) fails")
    }
    try self.init(verified: bytes)
  }

  /// Reads the fixed fields and holds the lengths to one another. All are 32 bits wide, so that no sum here overflows
  /// 64.
  private init(verified bytes: UnsafeRawBufferPointer) throws(FrameError) {
    guard let kind = FrameHeader.Kind(rawValue: bytes[10]) else {
      throw FrameError("kind \(bytes[10]) at offset 10: a newer kvpager wrote it")
    }
    func count(_ offset: Int) -> Int { Int(bytes.littleEndian(offset, as: UInt32.self)) }
    self.bytes = bytes
    self.kind = kind
    blockTokenCount = count(28)
    tokenCount = count(96)
    extraByteCount = count(100)
    planeCount = count(104)
    headerByteCount = bytes.count
    guard bytes[11] == 0, count(108) == 0 else {
      throw FrameError("the reserved fields at offsets 11 and 108 are not zero: a newer kvpager wrote it")
    }
    guard planeCount <= BlockLayout.planeCountLimit, tokenCount <= BlockLayout.blockTokenCountLimit,
      FrameFormat.headerByteCount(planeCount: planeCount, tokenCount: tokenCount, extraByteCount: extraByteCount)
        == bytes.count
    else {
      throw FrameError(
        "\(planeCount) planes, \(tokenCount) tokens and \(extraByteCount) bytes of extra keys at offset 96 do not make "
          + "a header of \(bytes.count) bytes")
    }
    switch kind {
    case .block:
      guard tokenCount > 0, tokenCount <= blockTokenCount, blockTokenCount <= BlockLayout.blockTokenCountLimit,
        planeCount > 0
      else {
        throw FrameError("\(tokenCount) tokens at offset 96, in \(planeCount) planes of a block of \(blockTokenCount)")
      }
    case .blob:
      guard tokenCount == 0, blockTokenCount == 0, extraByteCount == 0 else {
        throw FrameError("a blob with tokens or extra keys at offset 96")
      }
    }
    let padding =
      FrameFormat.fixedHeaderByteCount + planeCount * FrameFormat.planeEntryByteCount + 4 * tokenCount + extraByteCount
    guard bytes[padding..<bytes.count - FrameFormat.checksumByteCount].allSatisfy({ $0 == 0 }) else {
      throw FrameError("the padding at offset \(padding) is not zero")
    }
    let frame = bytes.littleEndian(16, as: UInt64.self)
    var end = bytes.count
    for plane in 0..<planeCount {
      end += count(FrameFormat.fixedHeaderByteCount + plane * FrameFormat.planeEntryByteCount + 12)
    }
    guard frame == UInt64(end) else {
      throw FrameError("a frame of \(frame) bytes at offset 16, where its header and planes make \(end)")
    }
    frameByteCount = end
  }

  var key: BlockKey {
    BlockKey(space: SpaceID(rawValue: bytes.littleEndian(24, as: UInt32.self)), hash: hash(at: 32))
  }

  func hash(at offset: Int) -> BlockHash {
    BlockHash(bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + BlockHash.byteCount]))
  }

  /// The entry of plane `index`, whose stored bytes begin at `offset`.
  func entry(_ index: Int, offset: Int) throws(FrameError) -> FrameHeader.PlaneEntry {
    let at = FrameFormat.fixedHeaderByteCount + index * FrameFormat.planeEntryByteCount
    guard let kind = Plane.Kind(rawValue: bytes[at]) else {
      throw FrameError("plane kind \(bytes[at]) at offset \(at): a newer kvpager wrote it")
    }
    guard let elementType = ElementType(rawValue: bytes[at + 1]) else {
      throw FrameError("element type \(bytes[at + 1]) at offset \(at + 1): a newer kvpager wrote it")
    }
    guard let filter = PlaneFilter(rawValue: bytes[at + 2]) else {
      throw FrameError("filter \(bytes[at + 2]) at offset \(at + 2): a newer kvpager wrote it")
    }
    guard let compressor = PlaneCompressor(rawValue: bytes[at + 3]) else {
      throw FrameError("compressor \(bytes[at + 3]) at offset \(at + 3): a newer kvpager wrote it")
    }
    let row = Int(bytes.littleEndian(at + 8, as: UInt32.self))
    return FrameHeader.PlaneEntry(
      layout: PlaneLayout(
        Plane(kind, layer: Int(bytes.littleEndian(at + 4, as: UInt32.self))),
        elementType: elementType, rowByteCount: row),
      filter: filter, compressor: compressor, offset: offset, storedByteCount: storedByteCount(index),
      rawByteCount: self.kind == .blob ? row : row * tokenCount,
      checksum: bytes.littleEndian(at + 16, as: UInt64.self))
  }

  func storedByteCount(_ index: Int) -> Int {
    let at = FrameFormat.fixedHeaderByteCount + index * FrameFormat.planeEntryByteCount
    return Int(bytes.littleEndian(at + 12, as: UInt32.self))
  }

  /// Everything, as values of its own.
  func header() throws(FrameError) -> FrameHeader {
    var planes: [FrameHeader.PlaneEntry] = []
    planes.reserveCapacity(planeCount)
    var offset = headerByteCount
    for index in 0..<planeCount {
      let entry = try entry(index, offset: offset)
      planes.append(entry)
      offset += entry.storedByteCount
    }
    let tokensAt = FrameFormat.fixedHeaderByteCount + planeCount * FrameFormat.planeEntryByteCount
    let extraAt = tokensAt + 4 * tokenCount
    let header = FrameHeader(
      kind: kind, key: key, parent: hash(at: 64),
      tokens: (0..<tokenCount).map { bytes.littleEndian(tokensAt + 4 * $0, as: Token.self) },
      encodedExtra: Array(bytes[extraAt..<extraAt + extraByteCount]),
      blockTokenCount: blockTokenCount, planes: planes,
      headerByteCount: headerByteCount, frameByteCount: frameByteCount)
    if kind == .block { _ = try header.layout() }
    return header
  }
}
