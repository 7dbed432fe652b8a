import KVBlocks
import KVCodec

/// Reads a record's little-endian fields. Every length is checked before it is used: a damaged record is an error,
/// never a crash or an allocation of a size that it made up.
struct RecordReader: ~Escapable {
  private let bytes: RawSpan
  private(set) var offset = 0
  private let kind: StaticString

  /// Reads bytes that nothing vouches for yet.
  @_lifetime(copy bytes)
  init(unchecked bytes: RawSpan, kind: StaticString) {
    self.bytes = bytes
    self.kind = kind
  }

  /// Reads a record that begins with its version and ends with the checksum of all before it.
  @_lifetime(copy bytes)
  init(sealed bytes: RawSpan, kind: StaticString) throws(StoreError) {
    let bodyByteCount = bytes.byteCount - RecordWriter.checksumByteCount
    guard bodyByteCount >= 2 else { throw .damagedRecord(kind, "it has only \(bytes.byteCount) bytes") }
    let stored = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: bodyByteCount, as: UInt64.self))
    let body = bytes.extracting(first: bodyByteCount)
    guard RecordWriter.checksum(of: body) == stored else { throw .damagedRecord(kind, "its checksum fails") }
    self.bytes = body
    self.kind = kind
    let version = try u16()
    guard version == FormatVersion.current else {
      throw .damagedRecord(kind, "it claims version \(version), unknown in a store of version \(FormatVersion.current)")
    }
  }

  var remainingByteCount: Int { bytes.byteCount - offset }

  mutating func u8() throws(StoreError) -> UInt8 { try integer() }
  mutating func u16() throws(StoreError) -> UInt16 { try integer() }
  mutating func u32() throws(StoreError) -> UInt32 { try integer() }
  mutating func u64() throws(StoreError) -> UInt64 { try integer() }

  /// A 64-bit count of at most `limit`.
  mutating func count64(limit: Int = .max) throws(StoreError) -> Int {
    let value = try u64()
    guard let count = Int(exactly: value), count <= limit else {
      throw damaged("a count of \(value) at offset \(offset - 8)")
    }
    return count
  }

  mutating func hash() throws(StoreError) -> BlockHash {
    try require(BlockHash.byteCount)
    let start = offset
    offset += BlockHash.byteCount
    return bytes.extracting(start..<offset).withUnsafeBytes { BlockHash(bytes: $0) }
  }

  mutating func bytes(count: Int) throws(StoreError) -> [UInt8] {
    try require(count)
    let start = offset
    offset += count
    return bytes.extracting(start..<offset).withUnsafeBytes { Array($0) }
  }

  mutating func text(byteCount: Int) throws(StoreError) -> String {
    let start = offset
    let raw = try bytes(count: byteCount)
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw damaged("text at offset \(start) is not UTF-8")
    }
    return text
  }

  /// A text behind its 32-bit byte count.
  mutating func text() throws(StoreError) -> String { try text(byteCount: Int(try u32())) }

  mutating func tokens(count: Int) throws(StoreError) -> [Token] {
    try require(count, each: MemoryLayout<Token>.size)
    let start = offset
    offset += count * MemoryLayout<Token>.size
    return bytes.extracting(start..<offset).withUnsafeBytes { raw in
      (0..<count).map { Token(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: Token.self)) }
    }
  }

  mutating func hashes(count: Int) throws(StoreError) -> [BlockHash] {
    try require(count, each: BlockHash.byteCount)
    var hashes: [BlockHash] = []
    hashes.reserveCapacity(count)
    for _ in 0..<count { hashes.append(try hash()) }
    return hashes
  }

  mutating func skip(_ byteCount: Int) throws(StoreError) {
    try require(byteCount)
    offset += byteCount
  }

  func requireEnd() throws(StoreError) {
    guard offset == bytes.byteCount else { throw damaged("\(bytes.byteCount - offset) bytes follow its last field") }
  }

  func damaged(_ what: String) -> StoreError { .damagedRecord(kind, what) }

  private func require(_ count: Int, each size: Int = 1) throws(StoreError) {
    guard count >= 0, count <= (bytes.byteCount - offset) / size else {
      throw damaged("\(count) times \(size) bytes wanted at offset \(offset) of \(bytes.byteCount)")
    }
  }

  private mutating func integer<T: FixedWidthInteger & BitwiseCopyable>() throws(StoreError) -> T {
    try require(MemoryLayout<T>.size)
    let value = T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    offset += MemoryLayout<T>.size
    return value
  }
}

extension StoreError {
  static func damagedRecord(_ kind: StaticString, _ what: String) -> StoreError {
    StoreError(
      .damaged,
      "a \(kind) record is damaged: \(what); `kvpager verify` lists all damage, whole sessions can be exported")
  }
}
