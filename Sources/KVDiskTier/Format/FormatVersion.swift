import KVBlocks

/// The on-disk format, version 1.
///
/// A store is a directory with LMDB's `data.mdb` and `lock.mdb`. Seven named tables, none with duplicates:
///
/// | table | key | value |
/// |---|---|---|
/// | `meta` | "store", "counters" | ``StoreHeader``, ``StoreCounters`` |
/// | `spaces` | space u32 BE | ``SpaceFormat`` |
/// | `blocks` | space u32 BE, hash [32] | ``BlockFormat`` |
/// | `children` | space u32 BE, parent hash [32], hash [32] | empty |
/// | `recency` | last use u64 BE, space u32 BE, hash [32] | empty; only blocks that no session refers to |
/// | `extents` | frame id << 16 | piece, a native u64 (`MDB_INTEGERKEY`) | ``ExtentFormat`` |
/// | `sessions` | space u32 BE, name (1 to 255 bytes of UTF-8) | ``SessionFormat`` |
///
/// Keys are big-endian where their order matters. Fields of values are little-endian. Each value but an extent's begins
/// with a u16 version and ends with a u64: XXH3 (64 bits, seed 0) of all bytes before it.
enum FormatVersion {
  static let current: UInt16 = 1
}

/// Names of the tables.
enum TableName {
  static let meta = "meta"
  static let spaces = "spaces"
  static let blocks = "blocks"
  static let children = "children"
  static let recency = "recency"
  static let extents = "extents"
  static let sessions = "sessions"
}
