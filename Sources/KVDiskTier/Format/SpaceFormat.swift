import KVBlocks

/// A value of `spaces`. Written once, never changed.
///
/// | type | field |
/// |---|---|
/// | u16 | version, 1 |
/// | u16 | bit 0: a vLLM seed is given |
/// | u8[32] | root: the parent hash of first blocks |
/// | text ×4 | model, adapter, salt, vLLM seed (empty for none); a text is a u32 byte count and UTF-8 |
/// | u32 | settings; then that many pairs of texts (name, value), by name |
/// | u32 | tokens of a full block |
/// | u32 | planes; then that many of {kind u8, element type u8, 0 u16, layer u32, row bytes u32} |
/// | u64 | XXH3 of all before it |
enum SpaceFormat {
  /// Of a record without settings and texts, for one plane.
  static let leastByteCount = 2 + 2 + 32 + 4 * 4 + 4 + 4 + 4 + planeByteCount + 8
  private static let planeByteCount = 12
  /// More than any engine has: whoever looks for records among other bytes does not count on.
  private static let settingCountLimit = 4096

  static func encode(_ record: SpaceRecord) -> [UInt8] {
    var writer = RecordWriter()
    writer.u16(FormatVersion.current)
    writer.u16(record.fingerprint.vllmSeed == nil ? 0 : 1)
    writer.hash(record.root)
    writer.text(record.fingerprint.model)
    writer.text(record.fingerprint.adapter)
    writer.text(record.fingerprint.salt)
    writer.text(record.fingerprint.vllmSeed ?? "")
    writer.u32(UInt32(record.fingerprint.settings.count))
    for (name, value) in record.fingerprint.settings.inNameOrder {
      writer.text(name)
      writer.text(value)
    }
    writer.u32(UInt32(record.layout.blockTokenCount))
    writer.u32(UInt32(record.layout.planes.count))
    for plane in record.layout.planes {
      writer.u8(plane.plane.kind.rawValue)
      writer.u8(plane.elementType.rawValue)
      writer.u16(0)
      writer.u32(UInt32(plane.plane.layer))
      writer.u32(UInt32(plane.rowByteCount))
    }
    return writer.sealed()
  }

  static func decode(_ bytes: RawSpan, id: SpaceID) throws(StoreError) -> SpaceRecord {
    var reader = try RecordReader(sealed: bytes, kind: "space")
    let flags = try reader.u16()
    let root = try reader.hash()
    var fingerprint = ModelFingerprint(model: try reader.text(), adapter: try reader.text())
    fingerprint.salt = try reader.text()
    let seed = try reader.text()
    fingerprint.vllmSeed = flags & 1 == 1 ? seed : nil
    for _ in 0..<(try reader.u32()) {
      let name = try reader.text()
      fingerprint.settings[name] = try reader.text()
    }
    let blockTokenCount = Int(try reader.u32())
    let planeCount = Int(try reader.u32())
    guard planeCount <= BlockLayout.planeCountLimit else { throw reader.damaged("\(planeCount) planes") }
    var planes: [PlaneLayout] = []
    for _ in 0..<planeCount {
      guard let kind = Plane.Kind(rawValue: try reader.u8()) else { throw reader.damaged("an unknown kind of plane") }
      guard let type = ElementType(rawValue: try reader.u8()) else { throw reader.damaged("an unknown element type") }
      _ = try reader.u16()
      let layer = Int(try reader.u32())
      planes.append(PlaneLayout(Plane(kind, layer: layer), elementType: type, rowByteCount: Int(try reader.u32())))
    }
    try reader.requireEnd()
    let layout: BlockLayout
    do throws(StoreError) {
      layout = try BlockLayout(blockTokenCount: blockTokenCount, planes: planes)
    } catch {
      throw reader.damaged(error.message)
    }
    return SpaceRecord(id: id, fingerprint: fingerprint, layout: layout, root: root)
  }

  /// Whether a record that cannot be read was this one: all but its seal is, or its seal is.
  static func isRemains(_ bytes: RawSpan, of record: SpaceRecord) -> Bool {
    let whole = encode(record)
    let bodyByteCount = whole.count - RecordWriter.checksumByteCount
    guard bytes.byteCount == whole.count else { return false }
    return bytes.withUnsafeBytes { bytes in
      bytes[..<bodyByteCount].elementsEqual(whole[..<bodyByteCount])
        || bytes[bodyByteCount...].elementsEqual(whole[bodyByteCount...])
    }
  }

  /// Bytes of a record that begins with `bytes`, by its own lengths and with its seal, which nothing vouches for; nil
  /// where they are more than there are.
  static func byteCount(ofRecordAt bytes: RawSpan) -> Int? {
    var reader = RecordReader(unchecked: bytes, kind: "space")
    do throws(StoreError) {
      try reader.skip(2 + 2 + BlockHash.byteCount)
      for _ in 0..<4 { try reader.skip(Int(try reader.u32())) }
      let settingCount = try reader.u32()
      guard settingCount <= settingCountLimit else { return nil }
      for _ in 0..<settingCount {
        for _ in 0..<2 { try reader.skip(Int(try reader.u32())) }
      }
      try reader.skip(4)
      try reader.skip(Int(try reader.u32()) * planeByteCount + RecordWriter.checksumByteCount)
      return reader.offset
    } catch {
      return nil
    }
  }
}
