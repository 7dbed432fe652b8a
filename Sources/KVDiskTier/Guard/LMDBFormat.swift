/// LMDB 0.9's data file on a 64-bit machine, in the machine's own byte order: the places and limits that the guard
/// goes by.
///
/// A page begins with 16 bytes: its number (u64), padding (u16, never cleared by LMDB and so never tested), flags
/// (u16), then `lower` and `upper` (u16 each), or in the first page of an overflow run the run's page count (u32).
/// After the header of a branch or leaf page stand u16 offsets of its nodes, up to `lower`; the nodes fill the page
/// from `upper` to its end.
enum LMDBFormat {
  static let magic: UInt32 = 0xBEEF_C0DE
  static let dataVersion: UInt32 = 1
  static let pageByteCounts = [4096, 8192, 16384, 32768]
  static let pageHeaderByteCount = 16
  static let nodeHeaderByteCount = 8
  static let metaPageCount: UInt64 = 2
  /// A meta page's header and its record.
  static let metaByteCount = 152
  static let tableRecordByteCount = 48
  static let keyByteCountLimit = 511
  /// LMDB's cursors hold 32 levels; a tree that is not damaged stays far below.
  static let depthLimit = 31
  /// A root's value where a tree is empty.
  static let noPage = UInt64.max

  enum PageFlags {
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08
  }

  enum NodeFlags {
    /// The value lies in an overflow run; the node holds the run's first page number.
    static let overflow: UInt16 = 0x01
    /// The value is another table's record.
    static let table: UInt16 = 0x02
  }

  enum TableFlags {
    static let integerKey: UInt16 = 0x08
    /// An environment's flag that LMDB keeps in the free table's record.
    static let noSubdirectory: UInt16 = 0x4000
  }

  /// A node larger than this has its value in an overflow run.
  static func nodeByteCountLimit(pageByteCount: Int) -> Int {
    (((pageByteCount - pageHeaderByteCount) / 2) & ~1) - 2
  }

  /// Pages that a value of this many bytes takes in an overflow run, the first page's header included.
  static func runPageCount(valueByteCount: Int, pageByteCount: Int) -> UInt64 {
    UInt64((pageHeaderByteCount - 1 + valueByteCount) / pageByteCount + 1)
  }
}

/// A table's record (LMDB's `MDB_db`): in a meta page, or as a value in the main table.
struct LMDBTableRecord: Hashable, Sendable {
  /// In the free table's record: the file's page size.
  let pad: UInt32
  let flags: UInt16
  let depth: UInt16
  let branchPageCount: UInt64
  let leafPageCount: UInt64
  let overflowPageCount: UInt64
  let entryCount: UInt64
  let root: UInt64

  /// - Precondition: `bytes` has 48 bytes from `offset` on.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    pad = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    flags = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt16.self)
    depth = bytes.loadUnaligned(fromByteOffset: offset + 6, as: UInt16.self)
    branchPageCount = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
    leafPageCount = bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
    overflowPageCount = bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
    entryCount = bytes.loadUnaligned(fromByteOffset: offset + 32, as: UInt64.self)
    root = bytes.loadUnaligned(fromByteOffset: offset + 40, as: UInt64.self)
  }
}

/// One node of a branch or leaf page, read where it lies.
struct LMDBNode {
  let offset: Int
  /// A leaf's value size in bytes; half of a branch's page number.
  private let low32: UInt32
  let flags: UInt16
  let keyByteCount: Int

  /// - Precondition: `page` has 8 bytes from `offset` on.
  init(_ page: UnsafeRawBufferPointer, at offset: Int) {
    self.offset = offset
    low32 =
      UInt32(page.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      | UInt32(page.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)) << 16
    flags = page.loadUnaligned(fromByteOffset: offset + 4, as: UInt16.self)
    keyByteCount = Int(page.loadUnaligned(fromByteOffset: offset + 6, as: UInt16.self))
  }

  var valueByteCount: Int { Int(low32) }
  var childPage: UInt64 { UInt64(low32) | UInt64(flags) << 32 }
  var isOverflow: Bool { flags & LMDBFormat.NodeFlags.overflow != 0 }
  var keyOffset: Int { offset + LMDBFormat.nodeHeaderByteCount }
  var valueOffset: Int { keyOffset + keyByteCount }

  /// Bytes of the node in a leaf page, before LMDB rounds them up to an even number.
  var leafByteCount: Int {
    LMDBFormat.nodeHeaderByteCount + keyByteCount + (isOverflow ? MemoryLayout<UInt64>.size : valueByteCount)
  }
  var branchByteCount: Int { LMDBFormat.nodeHeaderByteCount + keyByteCount }
}
