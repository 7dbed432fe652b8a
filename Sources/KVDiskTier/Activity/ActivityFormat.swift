import KVBlocks
import KVCodec

/// The file `activity`: a header and ``slotCount`` slots of fixed size, written in place. No part of a store or of its
/// backup: it may be deleted at any time and is made anew.
///
/// The header, 1024 bytes:
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u8[8] | "kvpactiv" |
/// | 8 | u16 | version, 1 |
/// | 10 | u16 | slots, 64 |
/// | 12 | u32 | bytes of a slot, 256 |
/// | 16 | u8[16] | store id |
/// | 32 | u64 | inode of data.mdb: a copy's is another |
/// | 40 | u64 | epoch, random |
/// | 48 | u64 | last claim given |
/// | 56 | u64 | openings that ended |
/// | 64 | u64 | made, microseconds since 1970 |
/// | 72 | u64[12] | their counters, in the order of ``StoreActivity/Counters/fields`` |
/// | 168 | u8[88] | 0 |
/// | 256 | u64[64] | for each slot the last claim whose figures are in the counters above |
/// | 768 | u8[248] | 0 |
/// | 1016 | u64 | XXH3 of all before it |
///
/// A slot is one opening's while its claim is greater than the header's for that slot. So one write of the header both
/// adds an ended opening's figures and frees its slot: whoever is killed meanwhile, nothing counts twice or is lost.
///
/// A slot, 256 bytes:
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u16 | version, 1 |
/// | 2 | u16 | bit 0: open for reading only |
/// | 4 | i32 | process id |
/// | 8 | u64 | claim |
/// | 16 | u64 | mark of the process's start |
/// | 24 | u64 | opened, microseconds since 1970 |
/// | 32 | u64 | written |
/// | 40 | u64 | quota, bytes; 0: none |
/// | 48 | u64[5] | bytes of RAM, budget, blocks resident, pinned, dirty |
/// | 88 | u64[12] | counters |
/// | 184 | u8[32] | the program's name, UTF-8, zeroes behind it |
/// | 216 | u8[32] | 0 |
/// | 248 | u64 | XXH3 of all before it |
enum ActivityFormat {
  static let version: UInt16 = 1
  static let slotCount = 64
  static let slotByteCount = 256
  static let headerByteCount = 1024
  static let nameByteCount = 32
  static let magic: [UInt8] = Array("kvpactiv".utf8)
  static var fileByteCount: Int { headerByteCount + slotCount * slotByteCount }
  static func slotOffset(_ index: Int) -> Int { headerByteCount + index * slotByteCount }

  /// Whether bytes of a fixed size end with the checksum of those before it.
  static func isSealed(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.withUnsafeBytes { raw in
      guard raw.count > 8 else { return false }
      let body = UnsafeRawBufferPointer(rebasing: raw[..<(raw.count - 8)])
      return StoredChecksum.xxh3(body)
        == UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: body.count, as: UInt64.self))
    }
  }
}

/// The file's first part.
struct ActivityHeader: Hashable {
  enum Reading: Hashable {
    case header(ActivityHeader)
    /// Empty, cut off, damaged, or no such file: to be made anew.
    case unusable
    /// A newer kvpager's: to be left alone.
    case newer
  }

  var store: ActivityStore
  var epoch: UInt64
  var lastClaim: UInt64 = 0
  var endedCount: UInt64 = 0
  var sinceMicroseconds: UInt64
  var counters = StoreActivity.Counters()
  var settledClaims = [UInt64](repeating: 0, count: ActivityFormat.slotCount)

  init(store: ActivityStore, epoch: UInt64, sinceMicroseconds: UInt64) {
    self.store = store
    self.epoch = epoch
    self.sinceMicroseconds = sinceMicroseconds
  }

  func encoded() -> [UInt8] {
    var writer = RecordWriter(capacity: ActivityFormat.headerByteCount)
    writer.raw(ActivityFormat.magic)
    writer.u16(ActivityFormat.version)
    writer.u16(UInt16(ActivityFormat.slotCount))
    writer.u32(UInt32(ActivityFormat.slotByteCount))
    writer.raw(store.storeID)
    writer.u64(store.inode)
    writer.u64(epoch)
    writer.u64(lastClaim)
    writer.u64(endedCount)
    writer.u64(sinceMicroseconds)
    writer.counters(counters)
    writer.zeroes(upTo: 256)
    for claim in settledClaims { writer.u64(claim) }
    writer.zeroes(upTo: ActivityFormat.headerByteCount - 8)
    return writer.sealed()
  }

  static func decode(_ bytes: ArraySlice<UInt8>) -> Reading {
    guard bytes.count == ActivityFormat.headerByteCount, bytes.starts(with: ActivityFormat.magic) else {
      return .unusable
    }
    return bytes.withUnsafeBytes { raw in
      var fields = FixedFields(raw, at: 8)
      let version: UInt16 = fields.next()
      guard version <= ActivityFormat.version else { return .newer }
      guard ActivityFormat.isSealed(bytes), version == ActivityFormat.version else { return .unusable }
      let (slotCount, slotByteCount): (UInt16, UInt32) = (fields.next(), fields.next())
      guard slotCount == ActivityFormat.slotCount, slotByteCount == ActivityFormat.slotByteCount else {
        return .unusable
      }
      let store = ActivityStore(storeID: fields.bytes(16), inode: fields.next())
      var header = ActivityHeader(store: store, epoch: fields.next(), sinceMicroseconds: 0)
      header.lastClaim = fields.next()
      header.endedCount = fields.next()
      header.sinceMicroseconds = fields.next()
      header.counters = fields.counters()
      fields.offset = 256
      for index in header.settledClaims.indices { header.settledClaims[index] = fields.next() }
      return .header(header)
    }
  }
}

/// Which store's activity a file tells of.
struct ActivityStore: Hashable, Sendable {
  var storeID: [UInt8]
  var inode: UInt64
}

/// One opening's part of the file.
struct ActivitySlot: Hashable {
  var identity: ProcessIdentity
  var claim: UInt64
  var name: String
  var startedMicroseconds: UInt64
  var updatedMicroseconds: UInt64
  var isReadOnly: Bool
  var quotaBytes: UInt64
  var usage = StoreActivity.Usage()
  var counters = StoreActivity.Counters()

  func encoded() -> [UInt8] {
    var writer = RecordWriter(capacity: ActivityFormat.slotByteCount)
    writer.u16(ActivityFormat.version)
    writer.u16(isReadOnly ? 1 : 0)
    writer.u32(UInt32(bitPattern: identity.processID))
    for value in [claim, identity.startMark, startedMicroseconds, updatedMicroseconds, quotaBytes] { writer.u64(value) }
    writer.u64(usage.memoryBytes)
    writer.u64(usage.memoryBudgetBytes)
    writer.u64(usage.residentBlocks)
    writer.u64(usage.pinnedBlocks)
    writer.u64(usage.dirtyBlocks)
    writer.counters(counters)
    var name = name
    while name.utf8.count > ActivityFormat.nameByteCount { name.removeLast() }
    writer.raw(Array(name.utf8))
    writer.zeroes(upTo: ActivityFormat.slotByteCount - 8)
    return writer.sealed()
  }

  /// Nil for bytes that are no whole slot.
  static func decode(_ bytes: ArraySlice<UInt8>) -> ActivitySlot? {
    guard bytes.count == ActivityFormat.slotByteCount, ActivityFormat.isSealed(bytes) else { return nil }
    return bytes.withUnsafeBytes { raw in
      var fields = FixedFields(raw, at: 0)
      let (version, flags): (UInt16, UInt16) = (fields.next(), fields.next())
      guard version == ActivityFormat.version else { return nil }
      let processID = Int32(bitPattern: fields.next() as UInt32)
      let claim: UInt64 = fields.next()
      var slot = ActivitySlot(
        identity: ProcessIdentity(processID: processID, startMark: fields.next()), claim: claim, name: "",
        startedMicroseconds: fields.next(), updatedMicroseconds: fields.next(), isReadOnly: flags & 1 != 0,
        quotaBytes: fields.next())
      slot.usage.memoryBytes = fields.next()
      slot.usage.memoryBudgetBytes = fields.next()
      slot.usage.residentBlocks = fields.next()
      slot.usage.pinnedBlocks = fields.next()
      slot.usage.dirtyBlocks = fields.next()
      slot.counters = fields.counters()
      let name = fields.bytes(ActivityFormat.nameByteCount).prefix { $0 != 0 }
      slot.name = String(decoding: name, as: UTF8.self)
      return slot
    }
  }
}

/// Reads little-endian fields of bytes whose number was checked.
private struct FixedFields {
  private let raw: UnsafeRawBufferPointer
  var offset: Int

  init(_ raw: UnsafeRawBufferPointer, at offset: Int) {
    self.raw = raw
    self.offset = offset
  }

  mutating func next<T: FixedWidthInteger & BitwiseCopyable>() -> T {
    defer { offset += MemoryLayout<T>.size }
    return T(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    defer { offset += count }
    return Array(raw[offset..<offset + count])
  }

  mutating func counters() -> StoreActivity.Counters {
    var counters = StoreActivity.Counters()
    for (_, path) in StoreActivity.Counters.fields { counters[keyPath: path] = next() }
    return counters
  }
}

extension RecordWriter {
  fileprivate mutating func counters(_ counters: StoreActivity.Counters) {
    for (_, path) in StoreActivity.Counters.fields { u64(counters[keyPath: path]) }
  }

  fileprivate mutating func zeroes(upTo offset: Int) {
    raw([UInt8](repeating: 0, count: max(0, offset - bytes.count)))
  }
}
