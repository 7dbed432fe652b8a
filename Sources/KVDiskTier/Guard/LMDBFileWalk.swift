import KVBlocks

/// One walk through everything that a data file's newest meta page leads to: the freelist, the main table, the named
/// ones.
// Invariants: each page is claimed at most once, so the walk ends after as many steps as the file has pages; memory
// is one bit a page, one page a level and 1,024 tables at most, whatever the file says.
struct LMDBFileWalk: ~Copyable {
  struct Level {
    var page: UInt64
    var isLeaf: Bool
    var nodeCount: Int
    var index = 0
  }

  enum Kind { case free, main, named }

  static let tableCountLimit = 1_024
  /// Pages past the file's end that LMDB may count: taken and freed within one transaction, so never written.
  private static let unwrittenPageCountFloor: UInt64 = 1 << 20

  let file: LMDBDataFile
  let metas: LMDBMetaPages
  let pageByteCount: Int
  /// Whole pages in the file.
  let filePageCount: UInt64
  /// Pages that the newest meta page counts.
  let pageCount: UInt64
  let isDeep: Bool
  let findingCountLimit: Int
  var report: LMDBFileReport
  /// A table counts more overflow pages than its values need, which happens where a value was replaced by a smaller one
  /// within one transaction. Only the runs' headers tell their real lengths.
  var needsRunHeaders = false

  var pages: LMDBPageSet
  var levels: [Level] = []
  var order = LMDBKeyOrder(areIntegers: false)
  var kind = Kind.free
  var tableIndex = 0
  var namedTables: [(name: String, record: LMDBTableRecord)] = []
  /// Is shown the keys and values of named tables that lie in leaf pages.
  var visit: ((UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void)?
  /// One page a level.
  let levelBytes: UnsafeMutableRawBufferPointer
  /// For each even offset in a page the size of the node that begins there, 0 for none.
  let nodeByteCounts: UnsafeMutableBufferPointer<UInt16>

  init(
    file: LMDBDataFile, metas: LMDBMetaPages, fileByteCount: UInt64, isDeep: Bool, findingCountLimit: Int
  ) {
    let newest = metas.newest
    self.file = file
    self.metas = metas
    self.isDeep = isDeep
    self.findingCountLimit = findingCountLimit
    pageByteCount = metas.pages[0].pageByteCount
    filePageCount = fileByteCount / UInt64(pageByteCount)
    report = LMDBFileReport(
      pageByteCount: pageByteCount, fileByteCount: fileByteCount, mapByteCount: newest.mapByteCount,
      lastPage: newest.lastPage, transactionID: newest.transactionID, isDeep: isDeep)
    report.findings = Array(metas.findings.prefix(findingCountLimit))
    let unwrittenPageCountLimit = max(Self.unwrittenPageCountFloor, filePageCount * 8)
    if newest.lastPage < filePageCount + unwrittenPageCountLimit {
      pageCount = newest.lastPage + 1
    } else {
      pageCount = 0
    }
    pages = LMDBPageSet(pageCount: pageCount)
    levelBytes = .allocate(byteCount: pageByteCount * LMDBFormat.depthLimit, alignment: 16)
    nodeByteCounts = .allocate(capacity: pageByteCount / 2)
    nodeByteCounts.initialize(repeating: 0)
  }

  deinit {
    levelBytes.deallocate()
    nodeByteCounts.deallocate()
  }

  var isStopped: Bool { report.findings.count >= findingCountLimit }

  mutating func find(page: UInt64? = nil, _ message: String) {
    guard !isStopped else { return }
    let table = tableIndex < report.tables.count ? report.tables[tableIndex].name : nil
    report.findings.append(.init(table: table, page: page, message))
  }

  mutating func run() throws(StoreError) {
    guard pageCount > LMDBFormat.metaPageCount - 1 else {
      find("truncated: page \(report.lastPage) is the last, but the file holds \(filePageCount)")
      return
    }
    _ = pages.claim(0, count: LMDBFormat.metaPageCount)
    let newest = metas.newest
    try walk(newest.free, kind: .free, name: LMDBFileReport.freeTableName)
    try walk(newest.main, kind: .main, name: LMDBFileReport.mainTableName)
    for table in namedTables { try walk(table.record, kind: .named, name: table.name) }
    report.unreachablePageCount = pageCount - pages.claimedCount
    pages.assertInvariants()
  }

  /// Walks the main table and those of these names, and shows `visit` what their leaf pages hold: table, key, value.
  mutating func run(
    tables names: [String], _ visit: @escaping (String, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
  ) throws(StoreError) {
    guard pageCount > LMDBFormat.metaPageCount - 1 else {
      find("truncated")
      return
    }
    _ = pages.claim(0, count: LMDBFormat.metaPageCount)
    try walk(metas.newest.main, kind: .main, name: LMDBFileReport.mainTableName)
    for name in names {
      guard let table = namedTables.first(where: { $0.name == name }) else {
        find("no table \(name)")
        continue
      }
      self.visit = { visit(name, $0, $1) }
      try walk(table.record, kind: .named, name: name)
    }
  }

  /// Claims pages for the table that is walked. False, with a finding, where they cannot be its own.
  mutating func claim(_ first: UInt64, count: UInt64 = 1, from page: UInt64?, mayBeUnwritten: Bool = false) -> Bool {
    guard first >= LMDBFormat.metaPageCount, first < pageCount, count <= pageCount - first else {
      find(page: page, "leads to \(count) page(s) from \(first) on, outside the \(pageCount) pages in use")
      return false
    }
    guard mayBeUnwritten || (first < filePageCount && count <= filePageCount - first) else {
      find(page: page, "truncated: leads to \(count) page(s) from \(first) on, but the file holds \(filePageCount)")
      return false
    }
    if let taken = pages.claim(first, count: count) {
      find(page: page, "leads to page \(taken), which is in use elsewhere or free")
      return false
    }
    return true
  }
}
