import KVBlocks

/// `meta["store"]`: what makes an LMDB file a kvpager store. Written once.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | record version, 1 for ever: what follows never moves |
/// | 2 | u16 | format version of the store: a reader refuses a greater one than its own |
/// | 4 | u32 | byte order mark 0x01020304 |
/// | 8 | u8[8] | "kvpager" and a zero |
/// | 16 | u8[16] | store id, random |
/// | 32 | u64 | created, microseconds since 1970 |
/// | 40 | u64 | XXH3 of bytes 0 to 39 |
package struct StoreHeader: Hashable, Sendable {
  static let key: [UInt8] = Array("store".utf8)
  static let magic: [UInt8] = Array("kvpager\0".utf8)
  static let byteOrderMark: UInt32 = 0x0102_0304

  package var formatVersion: UInt16
  package var storeID: [UInt8]
  package var createdMicroseconds: UInt64

  func encoded() -> [UInt8] {
    var writer = RecordWriter(capacity: 48)
    writer.u16(1)
    writer.u16(formatVersion)
    writer.u32(Self.byteOrderMark)
    writer.raw(Self.magic)
    writer.raw(storeID)
    writer.u64(createdMicroseconds)
    return writer.sealed()
  }

  /// - Throws: `notAStore`, `foreignByteOrder`, `versionTooNew` or `damaged`. The version comes before the checksum: a
  ///   newer format may seal its header in another way.
  static func decode(_ bytes: RawSpan, path: String) throws(StoreError) -> StoreHeader {
    var reader = RecordReader(unchecked: bytes, kind: "store")
    guard bytes.byteCount >= 16 else { throw .damagedRecord("store", "it has only \(bytes.byteCount) bytes") }
    _ = try reader.u16()
    let version = try reader.u16()
    let mark = try reader.u32()
    guard try reader.bytes(count: 8) == magic else { throw .notAStore(path, "its store record is another program's") }
    if mark == byteOrderMark.byteSwapped { throw .foreignByteOrder(path) }
    guard version <= FormatVersion.current else {
      throw StoreError(
        .versionTooNew,
        "the store at \(path) has format version \(version), this kvpager knows up to \(FormatVersion.current): "
          + "use the kvpager that wrote it, or a newer one")
    }
    var sealed = try RecordReader(sealed: bytes, kind: "store")
    guard mark == byteOrderMark, version > 0 else { throw sealed.damaged("version \(version), byte order \(mark)") }
    try sealed.skip(14)
    let storeID = try sealed.bytes(count: 16)
    let created = try sealed.u64()
    try sealed.requireEnd()
    return StoreHeader(formatVersion: version, storeID: storeID, createdMicroseconds: created)
  }
}

/// `meta["counters"]`: numbers that are never given twice.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version, 1 |
/// | 2 | u16 | 0 |
/// | 4 | u32 | next space id |
/// | 8 | u64 | next frame id, below 2^48 |
/// | 16 | u64 | last session revision given |
/// | 24 | u64 | XXH3 of bytes 0 to 23 |
struct StoreCounters: Hashable, Sendable {
  static let key: [UInt8] = Array("counters".utf8)

  var nextSpace: UInt32 = 1
  var nextFrame: UInt64 = 1
  var lastRevision: UInt64 = 0

  func encoded() -> [UInt8] {
    var writer = RecordWriter(capacity: 32)
    writer.u16(FormatVersion.current)
    writer.u16(0)
    writer.u32(nextSpace)
    writer.u64(nextFrame)
    writer.u64(lastRevision)
    return writer.sealed()
  }

  static func decode(_ bytes: RawSpan) throws(StoreError) -> StoreCounters {
    var reader = try RecordReader(sealed: bytes, kind: "counters")
    _ = try reader.u16()
    let counters = StoreCounters(
      nextSpace: try reader.u32(), nextFrame: try reader.u64(), lastRevision: try reader.u64())
    try reader.requireEnd()
    return counters
  }

  mutating func takeFrameID() throws(StoreError) -> UInt64 {
    guard nextFrame < ExtentFormat.frameIDLimit else {
      throw StoreError(.inputOutput, "the store has used up its frame ids; export its sessions into a new store")
    }
    defer { nextFrame += 1 }
    return nextFrame
  }

  mutating func takeRevision() -> UInt64 {
    lastRevision &+= 1
    return lastRevision
  }
}

extension StoreError {
  static func notAStore(_ path: String, _ why: String) -> StoreError {
    StoreError(.notAStore, "\(path) is no kvpager store: \(why)")
  }

  static func foreignByteOrder(_ path: String) -> StoreError {
    StoreError(
      .foreignByteOrder,
      "the store at \(path) was written on a machine of the other byte order: "
        + "export its sessions there and import the files here"
    )
  }
}
