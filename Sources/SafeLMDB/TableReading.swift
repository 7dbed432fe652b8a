import CSystemLMDB

/// LMDB's transaction pointer, which never leaves this module.
package struct TransactionHandle {
  let pointer: OpaquePointer
}

/// What both kinds of transaction can do: read. Spans that they answer point into the map; the compiler keeps them from
/// outliving the transaction, and from being used after it wrote.
package protocol TableReading: ~Copyable {
  var handle: TransactionHandle { get }
}

extension TableReading where Self: ~Copyable {
  /// The value stored under `key`, nil for none.
  @_lifetime(borrow self)
  package borrowing func value(for key: RawSpan, in table: Table) throws(LMDBError) -> RawSpan? {
    var data = MDB_val()
    let code = key.withUnsafeBytes { bytes in
      var key = MDB_val(bytes)
      return mdb_get(handle.pointer, table.handle, &key, &data)
    }
    if code == MDB_NOTFOUND { return nil }
    try check(code)
    return _overrideLifetime(RawSpan(data), borrowing: self)
  }

  package borrowing func contains(_ key: RawSpan, in table: Table) throws(LMDBError) -> Bool {
    try value(for: key, in: table) != nil
  }

  package borrowing func statistics(of table: Table) throws(LMDBError) -> TableStatistics {
    var raw = MDB_stat()
    try check(mdb_stat(handle.pointer, table.handle, &raw))
    return TableStatistics(
      depth: Int(raw.ms_depth), branchPageCount: raw.ms_branch_pages, leafPageCount: raw.ms_leaf_pages,
      overflowPageCount: raw.ms_overflow_pages, entryCount: raw.ms_entries)
  }

  /// Visits entries in key order from the first at or after `start` (nil: from the first) until `body` answers false.
  /// `body` must not write.
  package borrowing func forEach<E: LMDBErrorConvertible>(
    in table: Table, from start: RawSpan? = nil, _ body: (_ key: RawSpan, _ value: RawSpan) throws(E) -> Bool
  ) throws(E) {
    let cursor = try openCursor(on: table, E.self)
    defer { mdb_cursor_close(cursor) }
    var key = MDB_val()
    var data = MDB_val()
    var code: Int32
    if let start {
      code = start.withUnsafeBytes { bytes in
        key = MDB_val(bytes)
        return mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE)
      }
    } else {
      code = mdb_cursor_get(cursor, &key, &data, MDB_FIRST)
    }
    while code == MDB_SUCCESS {
      guard try body(RawSpan(key), RawSpan(data)) else { return }
      code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)
    }
    if code != MDB_NOTFOUND { throw E(LMDBError(code: code)) }
  }

  /// Hands the last entry in key order to `body`; nil for an empty table.
  package borrowing func withLast<R, E: LMDBErrorConvertible>(
    in table: Table, _ body: (_ key: RawSpan, _ value: RawSpan) throws(E) -> R
  ) throws(E) -> R? {
    let cursor = try openCursor(on: table, E.self)
    defer { mdb_cursor_close(cursor) }
    var key = MDB_val()
    var data = MDB_val()
    let code = mdb_cursor_get(cursor, &key, &data, MDB_LAST)
    if code == MDB_NOTFOUND { return nil }
    guard code == MDB_SUCCESS else { throw E(LMDBError(code: code)) }
    return try body(RawSpan(key), RawSpan(data))
  }

  private borrowing func openCursor<E: LMDBErrorConvertible>(on table: Table, _: E.Type) throws(E) -> OpaquePointer {
    var cursor: OpaquePointer?
    let code = mdb_cursor_open(handle.pointer, table.handle, &cursor)
    guard code == MDB_SUCCESS, let cursor else { throw E(LMDBError(code: code)) }
    return cursor
  }
}

extension MDB_val {
  /// LMDB reads keys and values through a pointer that is not const; it never writes through it.
  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
  }
}

extension RawSpan {
  @_lifetime(immortal)
  init(_ value: MDB_val) {
    let bytes = UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    self = _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: ())
  }
}
