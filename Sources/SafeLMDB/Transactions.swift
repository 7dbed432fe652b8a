import CSystemLMDB

/// A snapshot of the environment. Lives inside `Environment.read`; never held across a caller's code, because a live
/// reader keeps every page that was freed after it began from being used again.
package struct ReadTransaction: ~Copyable, TableReading {
  package let handle: TransactionHandle

  init(pointer: OpaquePointer) { handle = TransactionHandle(pointer: pointer) }
}

/// The one writer. Lives inside `Environment.write`, which commits it where its body returns and aborts it where it
/// throws.
package struct WriteTransaction: ~Copyable, TableReading {
  package let handle: TransactionHandle
  private let geometry: MapGeometry?

  init(pointer: OpaquePointer) {
    handle = TransactionHandle(pointer: pointer)
    geometry = MapGeometry(pointer)
  }

  /// Bytes of a page of the file.
  package var pageByteCount: Int { geometry?.pageByteCount ?? 4096 }

  /// This transaction's number, which grows by one with each commit.
  package var number: UInt64 { UInt64(mdb_txn_id(handle.pointer)) }

  /// The number of the page that begins where `pointer`, into a value that is as it was when the transaction began,
  /// says; nil for memory outside the map, where pages lie that this transaction wrote.
  package func pageNumber(at pointer: UnsafeRawPointer) -> UInt64? {
    guard let geometry, let offset = geometry.offset(of: pointer) else { return nil }
    return UInt64(offset) / UInt64(geometry.pageByteCount)
  }

  /// Stores `value` under `key`, in place of what is there.
  package mutating func put(_ key: RawSpan, _ value: RawSpan, in table: Table) throws(LMDBError) {
    let code = key.withUnsafeBytes { keyBytes in
      value.withUnsafeBytes { valueBytes in
        var key = MDB_val(keyBytes)
        var data = MDB_val(valueBytes)
        return mdb_put(handle.pointer, table.handle, &key, &data, 0)
      }
    }
    try check(code)
  }

  /// Makes room for a value of `byteCount` bytes under `key` and has `body` write all of it: a value put together from
  /// parts is copied once.
  /// - Parameter isLast: `key` is greater than every key in the table, so that leaves are filled to the brim.
  package mutating func put(
    _ key: RawSpan, byteCount: Int, in table: Table, isLast: Bool, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(LMDBError) {
    var data = MDB_val(mv_size: byteCount, mv_data: nil)
    let flags = UInt32(MDB_RESERVE) | (isLast ? UInt32(MDB_APPEND) : 0)
    let code = key.withUnsafeBytes { keyBytes in
      var key = MDB_val(keyBytes)
      return mdb_put(handle.pointer, table.handle, &key, &data, flags)
    }
    try check(code)
    body(UnsafeMutableRawBufferPointer(start: data.mv_data, count: byteCount))
  }

  /// Removes the entry; false where there is none.
  @discardableResult
  package mutating func delete(_ key: RawSpan, in table: Table) throws(LMDBError) -> Bool {
    let code = key.withUnsafeBytes { keyBytes in
      var key = MDB_val(keyBytes)
      return mdb_del(handle.pointer, table.handle, &key, nil)
    }
    if code == MDB_NOTFOUND { return false }
    try check(code)
    return true
  }

  /// Opens a table and makes it where `create` says so; nil where it does not exist.
  package mutating func openTable(
    _ name: String, order: Table.KeyOrder = .bytes, create: Bool
  ) throws(LMDBError) -> Table? {
    try open(table: name, order: order, create: create)
  }
}

/// Where the map lies. LMDB does not say, but a leaf that this transaction has not written says its own page number.
struct MapGeometry {
  let start: UnsafeRawPointer
  let byteCount: Int
  let pageByteCount: Int

  /// - Parameter pointer: a transaction that has not written yet. Nil where the file has no tables.
  init?(_ pointer: OpaquePointer) {
    var statistics = MDB_stat()
    var info = MDB_envinfo()
    var cursor: OpaquePointer?
    var (key, value) = (MDB_val(), MDB_val())
    guard mdb_stat(pointer, Table.directory.handle, &statistics) == MDB_SUCCESS,
      mdb_env_info(mdb_txn_env(pointer), &info) == MDB_SUCCESS,
      mdb_cursor_open(pointer, Table.directory.handle, &cursor) == MDB_SUCCESS
    else { return nil }
    defer { mdb_cursor_close(cursor) }
    guard mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == MDB_SUCCESS, let record = value.mv_data else { return nil }
    pageByteCount = Int(statistics.ms_psize)
    byteCount = info.me_mapsize
    // A page's first word is its number, and the map begins at a page of the system.
    let page = UnsafeRawPointer(bitPattern: UInt(bitPattern: record) & ~UInt(pageByteCount - 1))
    guard let page else { return nil }
    let (distance, overflow) = page.loadUnaligned(as: UInt.self).multipliedReportingOverflow(by: UInt(pageByteCount))
    guard !overflow, distance < UInt(bitPattern: page), distance < UInt(byteCount),
      let start = UnsafeRawPointer(bitPattern: UInt(bitPattern: page) - distance)
    else { return nil }
    self.start = start
  }

  /// Where in the file `pointer` is; nil for memory outside the map.
  func offset(of pointer: UnsafeRawPointer) -> Int? {
    pointer >= start && pointer < start + byteCount ? pointer - start : nil
  }
}

extension ReadTransaction {
  /// Opens a table; nil where it does not exist. Only while the environment opens, on one thread.
  package borrowing func openTable(_ name: String, order: Table.KeyOrder = .bytes) throws(LMDBError) -> Table? {
    try open(table: name, order: order, create: false)
  }
}

extension TableReading where Self: ~Copyable {
  fileprivate borrowing func open(table name: String, order: Table.KeyOrder, create: Bool) throws(LMDBError) -> Table? {
    var flags: UInt32 = create ? UInt32(MDB_CREATE) : 0
    if order == .nativeInteger { flags |= UInt32(MDB_INTEGERKEY) }
    var table: MDB_dbi = 0
    let code = mdb_dbi_open(handle.pointer, name, flags, &table)
    if code == MDB_NOTFOUND { return nil }
    try check(code)
    return Table(handle: table)
  }
}
