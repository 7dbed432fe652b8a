import KVBlocks
import SafeLMDB

@testable import KVDiskTier

/// Things that break a store's invariants, each planted through LMDB itself in tables that are whole as trees.
enum PlantedDamage: String, CaseIterable {
  case blockRecordByte, blockRecordGone, blockUnderForeignKey, sessionCountTooHigh, sessionCountTooLow
  case blockMoved, blockMovedToNoSpace, sessionMoved, sessionNameless, spaceMoved, extentMoved
  case childGone, childStray, recencyGone, recencyStray, strayKeys
  case frameByte, frameHeaderByte, extentGone, extentHeaderByte, extentStray, sharedFrame
  case sessionRecordByte, sessionListing, sessionBodyByte, checkpointByte
  case countersByte, countersTooLow

  /// What is broken, for who tells what must be found.
  func plant(in tier: DiskTier, _ random: inout SeededNumbers) throws {
    let tables = tier.tables
    var numbers = random
    defer { random = numbers }
    try tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
      switch self {
      case .blockRecordByte, .blockRecordGone, .blockUnderForeignKey, .sessionCountTooHigh, .sessionCountTooLow,
        .sharedFrame:
        try plantBlock(tables, &transaction, &numbers)
      case .blockMoved, .blockMovedToNoSpace, .sessionMoved, .sessionNameless, .spaceMoved, .extentMoved:
        try plantMove(tables, &transaction, &numbers)
      case .childGone, .childStray, .recencyGone, .recencyStray, .strayKeys:
        try plantLink(tables, &transaction, &numbers)
      case .frameByte, .frameHeaderByte, .extentGone, .extentHeaderByte, .extentStray:
        try plantExtent(tables, &transaction, &numbers)
      case .sessionRecordByte, .sessionListing, .sessionBodyByte, .checkpointByte:
        try plantSession(tables, &transaction, &numbers)
      case .countersByte:
        try Self.change(StoreCounters.key, in: tables.meta, &transaction) { $0[9] ^= 4 }
      case .countersTooLow:
        let low = StoreCounters(nextSpace: 1, nextFrame: 2, lastRevision: 1)
        try transaction.write(StoreCounters.key, low.encoded(), in: tables.meta)
      }
    }
  }

  static func change(
    _ key: [UInt8], in table: Table, _ transaction: inout WriteTransaction, _ body: (inout [UInt8]) -> Void
  ) throws(StoreError) {
    guard var bytes = try value(key, in: table, TransactionView(transaction)) else { return }
    body(&bytes)
    try transaction.write(key, bytes, in: table)
  }

  static func value(_ key: [UInt8], in table: Table, _ view: borrowing TransactionView) throws(StoreError) -> [UInt8]? {
    try view.read(key.span.bytes, in: table)?.copied
  }

  static func keys(of table: Table, _ view: borrowing TransactionView) throws(StoreError) -> [[UInt8]] {
    var keys: [[UInt8]] = []
    try view.forEach(in: table) { (key, _) throws(StoreError) in
      keys.append(key.copied)
      return true
    }
    return keys
  }

  private func plantBlock(
    _ tables: Tables, _ transaction: inout WriteTransaction, _ random: inout SeededNumbers
  ) throws(StoreError) {
    let keys = try Self.keys(of: tables.blocks, TransactionView(transaction)).filter { $0.count == 36 }
    guard let key = keys.randomElement(using: &random) else { return }
    let at = Int.random(in: 0..<1000, using: &random)
    switch self {
    case .blockRecordByte: try Self.change(key, in: tables.blocks, &transaction) { $0[at % $0.count] ^= 0x20 }
    case .blockRecordGone: try transaction.remove(key, in: tables.blocks)
    case .blockUnderForeignKey:
      var foreign = key
      foreign[20] ^= 0x55
      guard let bytes = try Self.value(key, in: tables.blocks, TransactionView(transaction)) else { return }
      try transaction.write(foreign, bytes, in: tables.blocks)
    case .sessionCountTooHigh, .sessionCountTooLow:
      try Self.change(key, in: tables.blocks, &transaction) { bytes in
        let count = bytes[4]
        RecordWriter.store(self == .sessionCountTooHigh ? UInt32(count) + 3 : 0, in: &bytes, at: 4)
        RecordWriter.reseal(&bytes)
      }
    default:
      // Two records that name one frame, and one's own may be gone.
      guard let other = keys.randomElement(using: &random),
        let bytes = try Self.value(other, in: tables.blocks, TransactionView(transaction))
      else { return }
      if at % 2 == 0, let own = try Self.value(key, in: tables.blocks, TransactionView(transaction)) {
        let frame = own.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: UInt64.self) }
        try transaction.remove(Keys.extent(frame: frame, piece: 0).span.bytes, in: tables.extents)
      }
      try Self.change(key, in: tables.blocks, &transaction) { record in
        record.replaceSubrange(16..<32, with: bytes[16..<32])
        RecordWriter.reseal(&record)
      }
    }
  }

  /// A bit of an entry's key.
  private func plantMove(
    _ tables: Tables, _ transaction: inout WriteTransaction, _ random: inout SeededNumbers
  ) throws(StoreError) {
    let (table, byte, mask): (Table, Int, UInt8) =
      switch self {
      case .blockMoved: (tables.blocks, 4 + Int.random(in: 0..<32, using: &random), 0x10)
      case .blockMovedToNoSpace: (tables.blocks, 2, 1)
      case .sessionMoved: (tables.sessions, 4, 1)
      case .sessionNameless: (tables.sessions, 4, 0x80)
      case .extentMoved: (tables.extents, 5, 1)
      default: (tables.spaces, 2, 1)
      }
    let keys = try Self.keys(of: table, TransactionView(transaction)).filter { $0.count > byte }
    if let key = keys.randomElement(using: &random) {
      try Self.move(key, in: table, &transaction) { $0[byte] ^= mask }
    }
  }

  static func move(
    _ key: [UInt8], in table: Table, _ transaction: inout WriteTransaction, _ body: (inout [UInt8]) -> Void
  ) throws(StoreError) {
    guard let value = try value(key, in: table, TransactionView(transaction)) else { return }
    var other = key
    body(&other)
    try transaction.remove(key, in: table)
    try transaction.write(other, value, in: table)
  }

  private func plantLink(
    _ tables: Tables, _ transaction: inout WriteTransaction, _ random: inout SeededNumbers
  ) throws(StoreError) {
    let isChild = self == .childGone || self == .childStray
    let table = isChild ? tables.children : tables.recency
    let keys = try Self.keys(of: table, TransactionView(transaction))
    switch self {
    case .childGone, .recencyGone:
      if let key = keys.randomElement(using: &random) { try transaction.remove(key, in: table) }
    case .childStray, .recencyStray:
      guard var key = keys.randomElement(using: &random) else { return }
      key[Int.random(in: 0..<key.count, using: &random)] ^= 0x11
      try transaction.write(key, [], in: table)
    default:
      try transaction.write([1, 2, 3], [], in: tables.children)
      try transaction.write([UInt8](repeating: 9, count: 45), [], in: tables.recency)
      try transaction.write([0, 0, 0, 1, 7], [1, 2, 3], in: tables.blocks)
      try transaction.write([0, 0, 0, 1, 0xff, 0xfe], [1, 2, 3], in: tables.sessions)
      try transaction.write([0, 0, 1], [1, 2, 3], in: tables.spaces)
    }
  }

  private func plantExtent(
    _ tables: Tables, _ transaction: inout WriteTransaction, _ random: inout SeededNumbers
  ) throws(StoreError) {
    let keys = try Self.keys(of: tables.extents, TransactionView(transaction))
    guard let key = keys.randomElement(using: &random) else { return }
    let at = Int.random(in: 0..<200, using: &random)
    switch self {
    case .frameByte: try Self.change(key, in: tables.extents, &transaction) { $0[400 + at] ^= 0x04 }
    case .frameHeaderByte: try Self.change(key, in: tables.extents, &transaction) { $0[16 + at % 100] ^= 0x04 }
    case .extentGone: try transaction.remove(key, in: tables.extents)
    case .extentHeaderByte: try Self.change(key, in: tables.extents, &transaction) { $0[at % 16] ^= 0x04 }
    default:
      guard let bytes = try Self.value(key, in: tables.extents, TransactionView(transaction)) else { return }
      let stray = Keys.extent(frame: UInt64(1000 + at), piece: at % 3)
      try transaction.write(stray.span.bytes, bytes.span.bytes, in: tables.extents)
    }
  }

  private func plantSession(
    _ tables: Tables, _ transaction: inout WriteTransaction, _ random: inout SeededNumbers
  ) throws(StoreError) {
    let keys = try Self.keys(of: tables.sessions, TransactionView(transaction))
    guard let key = keys.randomElement(using: &random),
      let bytes = try Self.value(key, in: tables.sessions, TransactionView(transaction)),
      let place = Keys.session(of: key.span.bytes)
    else { return }
    let summary: SessionSummary
    do throws(StoreError) {
      summary = try SessionFormat.decode(bytes.span.bytes, space: place.space, name: place.name).summary
    } catch {
      // Damaged already.
      return
    }
    let at = Int.random(in: 0..<80, using: &random)
    switch self {
    case .sessionRecordByte: try Self.change(key, in: tables.sessions, &transaction) { $0[at] ^= 0x08 }
    case .sessionListing:
      try Self.change(key, in: tables.sessions, &transaction) { bytes in
        bytes[40] ^= 1
        RecordWriter.reseal(&bytes)
      }
    case .sessionBodyByte, .checkpointByte:
      let frame = self == .checkpointByte ? summary.checkpoint?.frame : summary.body
      guard let frame, frame.id != 0 else { return }
      let extent = Keys.extent(frame: frame.id, piece: 0).span.withUnsafeBytes { Array($0) }
      try Self.change(extent, in: tables.extents, &transaction) { $0[16 + at] ^= 0x04 }
    default: return
    }
  }
}
