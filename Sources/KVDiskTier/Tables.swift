import KVBlocks
import SafeLMDB

/// The seven tables, opened.
struct Tables: Sendable {
  let meta: Table
  let spaces: Table
  let blocks: Table
  let children: Table
  let recency: Table
  let extents: Table
  let sessions: Table

  /// Opens the tables of a store that exists.
  init(_ transaction: borrowing ReadTransaction) throws(StoreError) {
    func open(_ name: String, _ order: Table.KeyOrder = .bytes) throws(StoreError) -> Table {
      let table: Table?
      do { table = try transaction.openTable(name, order: order) } catch { throw StoreError(error) }
      guard let table else {
        throw StoreError(.damaged, "the store lacks its table \"\(name)\": bring the store back from a copy")
      }
      return table
    }
    meta = try open(TableName.meta)
    spaces = try open(TableName.spaces)
    blocks = try open(TableName.blocks)
    children = try open(TableName.children)
    recency = try open(TableName.recency)
    extents = try open(TableName.extents, .nativeInteger)
    sessions = try open(TableName.sessions)
  }

  /// Makes the tables of a new store.
  init(creatingIn transaction: inout WriteTransaction) throws(StoreError) {
    func open(
      _ name: String, _ order: Table.KeyOrder, _ transaction: inout WriteTransaction
    ) throws(StoreError) -> Table {
      let table: Table?
      do { table = try transaction.openTable(name, order: order, create: true) } catch { throw StoreError(error) }
      guard let table else { throw StoreError(.inputOutput, "the table \"\(name)\" cannot be made") }
      return table
    }
    meta = try open(TableName.meta, .bytes, &transaction)
    spaces = try open(TableName.spaces, .bytes, &transaction)
    blocks = try open(TableName.blocks, .bytes, &transaction)
    children = try open(TableName.children, .bytes, &transaction)
    recency = try open(TableName.recency, .bytes, &transaction)
    extents = try open(TableName.extents, .nativeInteger, &transaction)
    sessions = try open(TableName.sessions, .bytes, &transaction)
  }

  /// Pages in use: what the quota is measured against. Pages that were freed and wait to be used again do not count.
  func usedPageCount(_ transaction: borrowing some TableReading & ~Copyable) throws(StoreError) -> Int {
    var count = 2  // LMDB's two meta pages
    for table in all { count += try transaction.size(of: table).pageCount }
    return count
  }

  /// Pages of the trees alone, values of whole pages left out.
  func treePageCount(_ transaction: borrowing some TableReading & ~Copyable) throws(StoreError) -> Int {
    var count = 0
    for table in all {
      let size = try transaction.size(of: table)
      count += size.branchPageCount + size.leafPageCount
    }
    return count
  }

  private var all: [Table] { [.freeList, .directory] + own }

  /// The store's, without LMDB's.
  var own: [Table] { [meta, spaces, blocks, children, recency, extents, sessions] }
}

/// LMDB's calls with the store's errors.
extension TableReading where Self: ~Copyable {
  @_lifetime(borrow self)
  borrowing func read(_ key: RawSpan, in table: Table) throws(StoreError) -> RawSpan? {
    do { return try value(for: key, in: table) } catch { throw StoreError(error) }
  }

  borrowing func holds(_ key: RawSpan, in table: Table) throws(StoreError) -> Bool {
    do { return try contains(key, in: table) } catch { throw StoreError(error) }
  }

  borrowing func size(of table: Table) throws(StoreError) -> TableStatistics {
    do { return try statistics(of: table) } catch { throw StoreError(error) }
  }
}

extension WriteTransaction {
  mutating func write(_ key: [UInt8], _ value: [UInt8], in table: Table) throws(StoreError) {
    let keySpan = key.span
    let valueSpan = value.span
    do { try put(keySpan.bytes, valueSpan.bytes, in: table) } catch { throw StoreError(error) }
  }

  @discardableResult
  mutating func remove(_ key: [UInt8], in table: Table) throws(StoreError) -> Bool {
    let keySpan = key.span
    do { return try delete(keySpan.bytes, in: table) } catch { throw StoreError(error) }
  }

  mutating func write(_ key: RawSpan, _ value: RawSpan, in table: Table) throws(StoreError) {
    do { try put(key, value, in: table) } catch { throw StoreError(error) }
  }

  @discardableResult
  mutating func remove(_ key: RawSpan, in table: Table) throws(StoreError) -> Bool {
    do { return try delete(key, in: table) } catch { throw StoreError(error) }
  }
}
