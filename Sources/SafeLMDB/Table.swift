import CSystemLMDB

/// One of an environment's named tables (LMDB's DBI). Opened once when the environment opens, valid as long as it is.
package struct Table: Sendable, Hashable {
  package enum KeyOrder: Sendable {
    /// Keys compare as byte strings.
    case bytes
    /// Keys are 8-byte unsigned integers in the machine's byte order.
    case nativeInteger
  }

  let handle: MDB_dbi

  init(handle: MDB_dbi) { self.handle = handle }

  /// LMDB's own list of free pages: a table like any other, to be measured.
  package static let freeList = Table(handle: 0)
  /// LMDB's table of tables.
  package static let directory = Table(handle: 1)
}

/// How much a table takes.
package struct TableStatistics: Hashable, Sendable {
  package var depth: Int
  package var branchPageCount: Int
  package var leafPageCount: Int
  package var overflowPageCount: Int
  package var entryCount: Int

  package var pageCount: Int { branchPageCount + leafPageCount + overflowPageCount }
}

/// How much an environment takes.
package struct EnvironmentInfo: Hashable, Sendable {
  package var mapByteCount: Int
  /// Pages of the file, the two meta pages included: what the file's size is made of.
  package var pageCount: Int
  package var pageByteCount: Int
  package var lastTransaction: UInt64
  package var readerSlotCount: Int
  package var readerSlotLimit: Int
}
