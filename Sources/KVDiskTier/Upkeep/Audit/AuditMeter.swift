import KVBlocks
import SafeLMDB

/// How far an audit is, in bytes of the file.
package struct AuditProgress: Hashable, Sendable {
  package var doneByteCount: Int
  package var totalByteCount: Int
}

/// Counts what an audit has read: entries of tables, each at its table's average, and frames.
final class AuditMeter {
  private let bytesPerEntry: [Table: Double]
  private let totalByteCount: Int
  private let report: (AuditProgress) -> Void
  private var done = 0.0

  /// - Parameter deep: frames are read too.
  init(
    _ tables: Tables, _ transaction: borrowing ReadTransaction, deep: Bool, report: @escaping (AuditProgress) -> Void
  ) throws(StoreError) {
    var bytesPerEntry: [Table: Double] = [:]
    var total = 0
    for table in [tables.blocks, tables.sessions, tables.children, tables.recency, tables.extents] {
      let size = try transaction.size(of: table)
      let isFrames = table == tables.extents
      let treeByteCount = (size.pageCount - (isFrames ? size.overflowPageCount : 0)) * ExtentFormat.pageByteCount
      bytesPerEntry[table] = size.entryCount > 0 ? Double(treeByteCount) / Double(size.entryCount) : 0
      total += treeByteCount
      if isFrames, deep { total += size.overflowPageCount * ExtentFormat.pageByteCount }
    }
    self.bytesPerEntry = bytesPerEntry
    totalByteCount = total
    self.report = report
  }

  func note(_ table: Table, entryCount: Int) { add(Double(entryCount) * (bytesPerEntry[table] ?? 0)) }

  func note(frameByteCount: Int) { add(Double(frameByteCount)) }

  private func add(_ byteCount: Double) {
    done += byteCount
    report(AuditProgress(doneByteCount: min(Int(done), totalByteCount), totalByteCount: totalByteCount))
  }
}
