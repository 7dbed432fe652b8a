/// What the guard read in an LMDB data file, and what it found wrong there.
package struct LMDBFileReport: Hashable, Sendable {
  /// One thing wrong. Any of them means that LMDB must not open the file.
  package struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// The table's name; nil where the finding concerns the file as a whole.
    package var table: String?
    /// The page that is wrong or that leads there.
    package var page: UInt64?
    package var message: String

    package init(table: String? = nil, page: UInt64? = nil, _ message: String) {
      self.table = table
      self.page = page
      self.message = message
    }

    package var description: String {
      let place = [table.map { "table \($0)" }, page.map { "page \($0)" }].compactMap { $0 }.joined(separator: ", ")
      return place.isEmpty ? message : "\(place): \(message)"
    }
  }

  /// What a walk through one tree counted.
  package struct Table: Hashable, Sendable {
    package var name: String
    package var hasIntegerKeys: Bool
    package var entryCount: UInt64 = 0
    package var depth: Int
    package var branchPageCount: UInt64 = 0
    package var leafPageCount: UInt64 = 0
    package var overflowPageCount: UInt64 = 0
  }

  /// The names under which the report lists LMDB's own two tables.
  package static let freeTableName = "(free)"
  package static let mainTableName = "(main)"

  package var pageByteCount: Int
  package var fileByteCount: UInt64
  package var mapByteCount: UInt64
  package var lastPage: UInt64
  package var transactionID: UInt64
  package var tables: [Table] = []
  /// Pages in the freelist: what the next writes take before the file grows.
  package var freePageCount: UInt64 = 0
  /// Pages that are neither used nor free: lost to the store, but harmless.
  package var unreachablePageCount: UInt64 = 0
  /// Branch and leaf pages read, all tables.
  package var treePageCount: UInt64 = 0
  /// Headers of overflow runs read: 0 unless the walk was deep.
  package var runHeaderCount: UInt64 = 0
  /// Bytes read from the file, over all attempts.
  package var byteCountRead: UInt64 = 0
  /// Walks that it took: more than one where another process changed the file meanwhile.
  package var attemptCount = 1
  /// Another process kept changing the file, so that the findings may be its doing.
  package var isUnsettled = false
  package var isDeep: Bool
  /// In the order in which the walk met them; the walk stops after ``findingCountLimit``.
  package var findings: [Finding] = []

  package static let findingCountLimit = 100

  /// LMDB may open the file.
  package var isTrustworthy: Bool { findings.isEmpty }
}
