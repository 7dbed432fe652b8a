import KVBlocks

/// How an origin lies in a session's record: magic, format version, kind, fields as variable-length integers, checksum.
enum OriginCoding {
  static let magic: [UInt8] = Array("KVIO".utf8)
  static let formatVersion: UInt8 = 1
  static let checksumByteCount = 8

  enum Kind: UInt8 {
    case sequenceState = 1
    case safetensors = 2
  }

  static func checksum(_ bytes: some Collection<UInt8>) -> [UInt8] {
    ChainHash.sha256(Array(bytes)).withUnsafeBytes { Array($0.prefix(checksumByteCount)) }
  }

  /// What kind of file an origin describes; nil where it is none of this format version.
  static func kind(of encoded: [UInt8]) -> Kind? {
    guard encoded.count >= magic.count + 2, encoded.starts(with: magic), encoded[magic.count] == formatVersion else {
      return nil
    }
    return Kind(rawValue: encoded[magic.count + 1])
  }
}

struct OriginEncoder {
  private(set) var bytes: [UInt8]

  init(_ kind: OriginCoding.Kind) { bytes = OriginCoding.magic + [OriginCoding.formatVersion, kind.rawValue] }

  mutating func unsigned(_ value: Int) {
    var rest = UInt64(value)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func signed(_ value: Int64) {
    let zigzag = UInt64(bitPattern: (value << 1) ^ (value >> 63))
    unsigned(Int(bitPattern: UInt(zigzag)))
  }

  mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

  mutating func data(_ data: [UInt8]) {
    unsigned(data.count)
    bytes += data
  }

  mutating func column(_ column: RunColumn) {
    unsigned(column.runs.count)
    for run in column.runs {
      unsigned(run.count)
      signed(run.start)
      signed(run.step)
    }
  }

  mutating func tokens(_ tokens: [Token]) { column(RunColumn(tokens.lazy.map(Int64.init))) }

  /// The bytes with their checksum.
  func finish() -> [UInt8] { bytes + OriginCoding.checksum(bytes) }
}

struct OriginDecoder {
  private let bytes: [UInt8]
  private let end: Int
  private var offset: Int

  init(_ encoded: [UInt8], kind: OriginCoding.Kind) throws(StoreError) {
    guard encoded.count >= OriginCoding.magic.count + 2 + OriginCoding.checksumByteCount,
      encoded.starts(with: OriginCoding.magic)
    else {
      throw StoreError(
        .invalidArgument, "these \(encoded.count) bytes are no session origin; export with a plain origin instead")
    }
    guard encoded[OriginCoding.magic.count] == OriginCoding.formatVersion else {
      throw StoreError(
        .versionTooNew,
        "the session's origin has version \(encoded[OriginCoding.magic.count]); this kvpager knows 1: export "
          + "with a newer one"
      )
    }
    end = encoded.count - OriginCoding.checksumByteCount
    guard OriginCoding.checksum(encoded[..<end]) == Array(encoded[end...]) else {
      throw StoreError(.damaged, "the session's origin fails its checksum; export with a plain origin instead")
    }
    guard encoded[OriginCoding.magic.count + 1] == kind.rawValue else {
      throw StoreError(.invalidArgument, "the session was imported from a file of another format; choose that format")
    }
    bytes = encoded
    offset = OriginCoding.magic.count + 2
  }

  var damage: StoreError { StoreError(.damaged, "the session's origin ends or breaks at byte \(offset)") }

  mutating func unsigned(limit: Int = Int.max) throws(StoreError) -> Int {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard offset < end, shift < 64 else { throw damage }
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    guard let count = Int(exactly: value), count <= limit else { throw damage }
    return count
  }

  mutating func signed() throws(StoreError) -> Int64 {
    let zigzag = UInt64(try unsigned())
    return Int64(zigzag >> 1) ^ -Int64(zigzag & 1)
  }

  mutating func i32() throws(StoreError) -> Int32 {
    guard let value = Int32(exactly: try signed()) else { throw damage }
    return value
  }

  mutating func flag() throws(StoreError) -> Bool { try unsigned(limit: 1) == 1 }

  mutating func data() throws(StoreError) -> [UInt8] {
    let count = try unsigned(limit: end - offset)
    guard count <= end - offset else { throw damage }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  /// A column of at most `limit` values; only its runs take memory.
  mutating func column(limit: Int) throws(StoreError) -> RunColumn {
    // A run takes three bytes or more.
    let runCount = try unsigned(limit: (end - offset) / 3)
    var runs: [RunColumn.Run] = []
    var total = 0
    for _ in 0..<runCount {
      let run = RunColumn.Run(count: try unsigned(limit: limit - total), start: try signed(), step: try signed())
      let (span, overflow) = run.step.multipliedReportingOverflow(by: Int64(run.count))
      let bounds = -RunColumn.valueLimit...RunColumn.valueLimit
      guard !overflow, bounds.contains(run.start), bounds.contains(run.step), bounds.contains(span) else {
        throw damage
      }
      total += run.count
      runs.append(run)
    }
    return RunColumn(runs: runs, count: total)
  }

  mutating func tokens(limit: Int) throws(StoreError) -> [Token] {
    let column = try column(limit: limit)
    var tokens: [Token] = []
    var isWhole = true
    column.forEach(first: column.count) { value in
      if let token = Token(exactly: value) { tokens.append(token) } else { isWhole = false }
    }
    guard isWhole else { throw damage }
    return tokens
  }

  func finish() throws(StoreError) {
    guard offset == end else { throw damage }
  }
}
