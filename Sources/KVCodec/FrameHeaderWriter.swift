import KVBlocks

/// Writes a header into memory, plane by plane, then the rest and its checksum.
struct FrameHeaderWriter {
  private let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let planeCount: Int

  init(_ base: UnsafeMutableRawPointer, byteCount: Int, planeCount: Int) {
    self.base = base
    self.byteCount = byteCount
    self.planeCount = planeCount
    base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  mutating func setPlane(_ index: Int, _ layout: PlaneLayout, _ result: PlaneEncoder.Result, checksum: UInt64) {
    let entry = base + FrameFormat.fixedHeaderByteCount + index * FrameFormat.planeEntryByteCount
    entry.storeLittleEndian(layout.plane.kind.rawValue, at: 0)
    entry.storeLittleEndian(layout.elementType.rawValue, at: 1)
    entry.storeLittleEndian(result.filter.rawValue, at: 2)
    entry.storeLittleEndian(result.compressor.rawValue, at: 3)
    entry.storeLittleEndian(UInt32(layout.plane.layer), at: 4)
    entry.storeLittleEndian(UInt32(layout.rowByteCount), at: 8)
    entry.storeLittleEndian(UInt32(result.storedByteCount), at: 12)
    entry.storeLittleEndian(checksum, at: 16)
  }

  mutating func finish(_ descriptor: BlockDescriptor, blockTokenCount: Int, frameByteCount: Int) {
    base.storeLittleEndian(UInt32(blockTokenCount), at: 28)
    descriptor.parent.withUnsafeBytes { (base + 64).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    base.storeLittleEndian(UInt32(descriptor.tokens.count), at: 96)
    base.storeLittleEndian(UInt32(descriptor.encodedExtra.count), at: 100)
    var offset = FrameFormat.fixedHeaderByteCount + planeCount * FrameFormat.planeEntryByteCount
    for token in descriptor.tokens {
      base.storeLittleEndian(token, at: offset)
      offset += 4
    }
    descriptor.encodedExtra.withUnsafeBytes { extra in
      if let source = extra.baseAddress { (base + offset).copyMemory(from: source, byteCount: extra.count) }
    }
    finish(.block, descriptor.key, frameByteCount: frameByteCount)
  }

  mutating func finish(blob identifier: BlockKey, frameByteCount: Int) {
    finish(.blob, identifier, frameByteCount: frameByteCount)
  }

  private mutating func finish(_ kind: FrameHeader.Kind, _ key: BlockKey, frameByteCount: Int) {
    base.storeLittleEndian(FrameFormat.magic, at: 0)
    base.storeLittleEndian(FrameFormat.version, at: 8)
    base.storeLittleEndian(kind.rawValue, at: 10)
    base.storeLittleEndian(UInt32(byteCount), at: 12)
    base.storeLittleEndian(UInt64(frameByteCount), at: 16)
    base.storeLittleEndian(key.space.rawValue, at: 24)
    key.hash.withUnsafeBytes { (base + 32).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    base.storeLittleEndian(UInt32(planeCount), at: 104)
    let body = byteCount - FrameFormat.checksumByteCount
    base.storeLittleEndian(FrameFormat.checksum(base, body), at: body)
  }
}
