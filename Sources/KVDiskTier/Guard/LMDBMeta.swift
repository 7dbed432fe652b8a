import KVBlocks

/// One meta page: a root of everything, written last by each commit. Commits take the two pages in turn.
struct LMDBMeta: Hashable, Sendable {
  let page: UInt64
  let pageFlags: UInt16
  let magic: UInt32
  let version: UInt32
  let mapByteCount: UInt64
  let free: LMDBTableRecord
  let main: LMDBTableRecord
  let lastPage: UInt64
  let transactionID: UInt64

  var pageByteCount: Int { Int(free.pad) }

  /// - Precondition: `bytes` has ``LMDBFormat/metaByteCount`` bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    page = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
    pageFlags = bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
    magic = bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
    version = bytes.loadUnaligned(fromByteOffset: 20, as: UInt32.self)
    mapByteCount = bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
    free = LMDBTableRecord(bytes, at: 40)
    main = LMDBTableRecord(bytes, at: 88)
    lastPage = bytes.loadUnaligned(fromByteOffset: 136, as: UInt64.self)
    transactionID = bytes.loadUnaligned(fromByteOffset: 144, as: UInt64.self)
  }

  init?(of file: LMDBDataFile, at offset: UInt64) throws(StoreError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: LMDBFormat.metaByteCount, alignment: 8)
    defer { buffer.deallocate() }
    guard try file.read(into: buffer, at: offset) == buffer.count else { return nil }
    self.init(UnsafeRawBufferPointer(buffer))
  }
}

/// Both meta pages, and the one that LMDB would go by.
struct LMDBMetaPages: Hashable, Sendable {
  let pages: [LMDBMeta]
  /// What is wrong with them though the newest can be followed.
  let findings: [LMDBFileReport.Finding]

  /// LMDB's own choice: the larger transaction id, the first page in a tie.
  var newest: LMDBMeta { pages[0].transactionID < pages[1].transactionID ? pages[1] : pages[0] }

  /// - Throws: `notAStore`, `foreignByteOrder`, `versionTooNew`, or `damaged` where no meta page can be followed.
  init(of file: LMDBDataFile) throws(StoreError) {
    guard try file.byteCount() > 0 else {
      throw StoreError(
        .damaged,
        "\(file.path) has 0 bytes; LMDB would make a new, empty store of it. Restore it, or delete it to begin anew")
    }
    guard let first = try LMDBMeta(of: file, at: 0), first.magic == LMDBFormat.magic else {
      throw try Self.errorWithoutFirst(file)
    }
    guard LMDBFormat.pageByteCounts.contains(first.pageByteCount) else {
      throw Self.damaged(file, "meta page 0 names a page size of \(first.free.pad) bytes")
    }
    guard let second = try LMDBMeta(of: file, at: UInt64(first.pageByteCount)) else {
      throw Self.damaged(file, "the file ends before its second meta page")
    }
    guard second.magic == LMDBFormat.magic else { throw Self.damaged(file, "meta page 1 is none") }
    if first.version != LMDBFormat.dataVersion, second.version == first.version {
      throw StoreError(
        .versionTooNew,
        "\(file.path) is of LMDB's data version \(first.version); this build reads version \(LMDBFormat.dataVersion)")
    }
    pages = [first, second]
    findings = Self.check(first, second)
  }

  /// One page alone, of a file whose other one is damaged or of another time.
  init(only meta: LMDBMeta) {
    pages = [meta, meta]
    findings = []
  }

  private static func check(_ first: LMDBMeta, _ second: LMDBMeta) -> [LMDBFileReport.Finding] {
    var findings: [LMDBFileReport.Finding] = []
    for (index, meta) in [first, second].enumerated() {
      func require(_ condition: Bool, _ message: @autoclosure () -> String) {
        if !condition { findings.append(.init(page: UInt64(index), "meta page: \(message())")) }
      }
      require(meta.page == UInt64(index), "carries page number \(meta.page)")
      require(meta.pageFlags == LMDBFormat.PageFlags.meta, "flags \(meta.pageFlags)")
      require(meta.version == LMDBFormat.dataVersion, "data version \(meta.version)")
      require(meta.pageByteCount == first.pageByteCount, "page size \(meta.free.pad)")
      // LMDB finds the meta page of a transaction by the parity of its id; a new file has id 0 in both.
      require(
        meta.transactionID % 2 == UInt64(index) || meta.transactionID == 0,
        "transaction \(meta.transactionID) in the wrong page")
      let pageLimit = meta.mapByteCount / UInt64(first.pageByteCount)
      require(meta.lastPage >= LMDBFormat.metaPageCount - 1, "last page \(meta.lastPage)")
      require(meta.lastPage < pageLimit, "last page \(meta.lastPage) outside a map of \(meta.mapByteCount) bytes")
      require(meta.mapByteCount < 1 << 56, "a map of \(meta.mapByteCount) bytes")
    }
    let (older, newer) = (
      min(first.transactionID, second.transactionID), max(first.transactionID, second.transactionID)
    )
    if newer - older != 1, newer != 0 {
      findings.append(.init("the meta pages are of transactions \(older) and \(newer), which do not follow each other"))
    }
    return findings
  }

  private static func errorWithoutFirst(_ file: LMDBDataFile) throws(StoreError) -> StoreError {
    for offset in [0] + LMDBFormat.pageByteCounts {
      guard let meta = try LMDBMeta(of: file, at: UInt64(offset)) else { continue }
      if meta.magic == LMDBFormat.magic { return damaged(file, "meta page 0 is none") }
      if meta.magic == LMDBFormat.magic.byteSwapped {
        return StoreError(
          .foreignByteOrder,
          "\(file.path) was written by a machine of the other byte order; export its sessions there, import them here"
        )
      }
    }
    return StoreError(
      .notAStore,
      "\(file.path) does not begin with LMDB's meta pages; if it was a store, bring it back from a copy")
  }

  static func damaged(_ file: LMDBDataFile, _ what: String) -> StoreError {
    StoreError(
      .damaged, "\(file.path) is damaged: \(what); `kvpager verify` says more; bring the store back from a copy")
  }
}
