import KVBlocks

/// Keys of the tables. See ``FormatVersion`` for their layout.
enum Keys {
  static let blockByteCount = 36
  static let childByteCount = 68
  static let recencyByteCount = 44
  static let nameByteLimit = 255

  static func space(_ space: SpaceID) -> [UInt8] {
    withUnsafeBytes(of: space.rawValue.bigEndian) { Array($0) }
  }

  static func block(_ key: BlockKey) -> InlineArray<36, UInt8> {
    var bytes = InlineArray<36, UInt8>(repeating: 0)
    var span = bytes.mutableSpan
    span.withUnsafeMutableBytes { fill($0, key, at: 0) }
    return bytes
  }

  static func block(of bytes: RawSpan) -> BlockKey? {
    guard bytes.byteCount == blockByteCount else { return nil }
    return key(in: bytes, at: 0)
  }

  /// The least key of `parent`'s children; also the prefix of all of them.
  static func child(of parent: BlockKey, hash: BlockHash) -> InlineArray<68, UInt8> {
    var bytes = InlineArray<68, UInt8>(repeating: 0)
    var span = bytes.mutableSpan
    span.withUnsafeMutableBytes { raw in
      fill(raw, parent, at: 0)
      hash.withUnsafeBytes { raw.baseAddress?.advanced(by: 36).copyMemory(from: $0.baseAddress!, byteCount: 32) }
    }
    return bytes
  }

  static func child(of bytes: RawSpan) -> (parent: BlockKey, hash: BlockHash)? {
    guard bytes.byteCount == childByteCount else { return nil }
    return (key(in: bytes, at: 0), hash(in: bytes, at: 36))
  }

  static func recency(lastUse: UInt64, _ key: BlockKey) -> InlineArray<44, UInt8> {
    var bytes = InlineArray<44, UInt8>(repeating: 0)
    var span = bytes.mutableSpan
    span.withUnsafeMutableBytes { raw in
      raw.storeBytes(of: lastUse.bigEndian, as: UInt64.self)
      fill(raw, key, at: 8)
    }
    return bytes
  }

  static func recency(of bytes: RawSpan) -> (lastUse: UInt64, key: BlockKey)? {
    guard bytes.byteCount == recencyByteCount else { return nil }
    return (UInt64(bigEndian: bytes.unsafeLoadUnaligned(as: UInt64.self)), key(in: bytes, at: 8))
  }

  static func extent(frame: UInt64, piece: Int) -> InlineArray<1, UInt64> { [frame << 16 | UInt64(piece)] }

  static func extent(of bytes: RawSpan) -> (frame: UInt64, piece: Int)? {
    guard bytes.byteCount == 8 else { return nil }
    let value = bytes.unsafeLoadUnaligned(as: UInt64.self)
    return (value >> 16, Int(value & 0xffff))
  }

  static func session(_ space: SpaceID, _ name: String) throws(StoreError) -> [UInt8] {
    guard (1...nameByteLimit).contains(name.utf8.count) else {
      throw .invalidArgument(
        "a session's name of \(name.utf8.count) bytes; it must have 1 to \(nameByteLimit) bytes of UTF-8")
    }
    return self.space(space) + Array(name.utf8)
  }

  static func session(of bytes: RawSpan) -> (space: SpaceID, name: String)? {
    guard (5...4 + nameByteLimit).contains(bytes.byteCount) else { return nil }
    let raw = bytes.withUnsafeBytes { Array($0.dropFirst(4)) }
    guard let name = String(validating: raw, as: UTF8.self) else { return nil }
    return (SpaceID(rawValue: UInt32(bigEndian: bytes.unsafeLoadUnaligned(as: UInt32.self))), name)
  }

  private static func fill(_ raw: UnsafeMutableRawBufferPointer, _ key: BlockKey, at offset: Int) {
    raw.storeBytes(of: key.space.rawValue.bigEndian, toByteOffset: offset, as: UInt32.self)
    key.hash.withUnsafeBytes { hash in
      UnsafeMutableRawBufferPointer(rebasing: raw[(offset + 4)..<(offset + 36)]).copyMemory(from: hash)
    }
  }

  private static func key(in bytes: RawSpan, at offset: Int) -> BlockKey {
    let space = UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    return BlockKey(space: SpaceID(rawValue: space), hash: hash(in: bytes, at: offset + 4))
  }

  private static func hash(in bytes: RawSpan, at offset: Int) -> BlockHash {
    bytes.extracting(offset..<(offset + 32)).withUnsafeBytes { BlockHash(bytes: $0) }
  }
}
