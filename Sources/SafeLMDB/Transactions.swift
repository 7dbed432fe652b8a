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

  init(pointer: OpaquePointer) { handle = TransactionHandle(pointer: pointer) }

  /// This transaction's number, which grows by one with each commit.
  package var number: UInt64 { UInt64(mdb_txn_id(handle.pointer)) }

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
