import KVBlocks
import SafeLMDB

/// A transaction of either kind, to look into. Never outlives it.
struct TransactionView: ~Copyable, TableReading {
  let handle: TransactionHandle

  init(_ transaction: borrowing some TableReading & ~Copyable) { handle = transaction.handle }

  init(handle: TransactionHandle) { self.handle = handle }
}

/// Where an audit reads.
protocol AuditSource {
  /// Visits all entries of a table. `between` is called with no transaction open, or the one that is always open.
  func scan(
    _ table: Table, limit: Int, between: () throws(StoreError) -> Void,
    _ body: (borrowing TransactionView, RawSpan, RawSpan) throws(StoreError) -> Void
  ) throws(StoreError)

  /// One look into the store as it is now.
  func look<R>(_ body: (borrowing TransactionView) throws(StoreError) -> R) throws(StoreError) -> R

  /// Nobody committed since the audit began: what was seen is one state of the store.
  var isOneSnapshot: Bool { get }
}

/// Many short read transactions: a store in use does not grow because of it.
final class SnapshotSource: AuditSource {
  private let tier: DiskTier
  private let meter: AuditMeter?
  private var snapshot: UInt64?
  private(set) var isOneSnapshot = true

  init(_ tier: DiskTier, meter: AuditMeter?) {
    self.tier = tier
    self.meter = meter
  }

  private func note(_ transaction: borrowing ReadTransaction) {
    if let snapshot, snapshot != transaction.snapshot { isOneSnapshot = false }
    snapshot = transaction.snapshot
  }

  func scan(
    _ table: Table, limit: Int, between: () throws(StoreError) -> Void,
    _ body: (borrowing TransactionView, RawSpan, RawSpan) throws(StoreError) -> Void
  ) throws(StoreError) {
    var last: [UInt8] = []
    var isDone = false
    while !isDone {
      let entryCount = try tier.environment.read { (transaction) throws(StoreError) in
        note(transaction)
        let view = TransactionView(transaction)
        var count = 0
        isDone = true
        let first = last
        try transaction.forEach(in: table, from: first.isEmpty ? nil : first.span.bytes) {
          (key, value) throws(StoreError) in
          if count == 0, !first.isEmpty, key.withUnsafeBytes({ $0.elementsEqual(first) }) { return true }
          count += 1
          try body(view, key, value)
          guard count < limit else {
            last = key.withUnsafeBytes { Array($0) }
            isDone = false
            return false
          }
          return true
        }
        if !isDone { transaction.releaseMap() }
        return count
      }
      meter?.note(table, entryCount: entryCount)
      try between()
    }
  }

  func look<R>(_ body: (borrowing TransactionView) throws(StoreError) -> R) throws(StoreError) -> R {
    try tier.environment.read { (transaction) throws(StoreError) in
      note(transaction)
      return try body(TransactionView(transaction))
    }
  }
}

/// One transaction, of the writer: nothing changes but by its own hand.
struct TransactionSource: AuditSource {
  let handle: TransactionHandle

  var isOneSnapshot: Bool { true }

  func scan(
    _ table: Table, limit: Int, between: () throws(StoreError) -> Void,
    _ body: (borrowing TransactionView, RawSpan, RawSpan) throws(StoreError) -> Void
  ) throws(StoreError) {
    let view = TransactionView(handle: handle)
    try view.forEach(in: table) { (key, value) throws(StoreError) in
      try body(view, key, value)
      return true
    }
    try between()
  }

  func look<R>(_ body: (borrowing TransactionView) throws(StoreError) -> R) throws(StoreError) -> R {
    try body(TransactionView(handle: handle))
  }
}
