import KVBlocks
import KVCodec

/// Puts a record together from little-endian fields.
struct RecordWriter {
  static let checksumByteCount = 8

  private(set) var bytes: [UInt8] = []

  init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  mutating func u8(_ value: UInt8) { bytes.append(value) }
  mutating func u16(_ value: UInt16) { integer(value) }
  mutating func u32(_ value: UInt32) { integer(value) }
  mutating func u64(_ value: UInt64) { integer(value) }
  mutating func hash(_ value: BlockHash) { value.withUnsafeBytes { bytes.append(contentsOf: $0) } }
  mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  /// A text behind its 32-bit byte count.
  mutating func text(_ value: String) {
    u32(UInt32(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  mutating func tokens(_ tokens: [Token]) {
    for token in tokens { integer(token) }
  }

  /// Appends the checksum of everything so far: the record's last field.
  consuming func sealed() -> [UInt8] {
    u64(Self.checksum(of: bytes.span.bytes))
    return bytes
  }

  /// Computes a record's checksum anew after fields were changed in place.
  static func reseal(_ record: inout [UInt8]) {
    let bodyByteCount = record.count - checksumByteCount
    let checksum = checksum(of: record.span.bytes.extracting(first: bodyByteCount))
    store(checksum, in: &record, at: bodyByteCount)
  }

  static func store<T: FixedWidthInteger>(_ value: T, in record: inout [UInt8], at offset: Int) {
    record.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
  }

  static func checksum(of bytes: RawSpan) -> UInt64 {
    bytes.withUnsafeBytes { StoredChecksum.xxh3($0) }
  }

  private mutating func integer<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
