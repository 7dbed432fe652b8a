import KVBlocks

/// What leaves lead to: overflow runs, and the freelist's records in them or in the leaf itself.
extension LMDBFileWalk {
  /// Claims a value's overflow run. False, with a finding, where it cannot be one.
  mutating func visitRun(_ first: UInt64, valueByteCount: Int, from page: UInt64) throws(StoreError) -> Bool {
    var count = LMDBFormat.runPageCount(valueByteCount: valueByteCount, pageByteCount: pageByteCount)
    if isDeep {
      guard first >= LMDBFormat.metaPageCount, first < filePageCount else {
        find(page: page, "leads to an overflow run at page \(first) of \(filePageCount)")
        return false
      }
      guard let length = try runLength(first) else { return false }
      guard length >= count else {
        find(page: first, "an overflow run of \(length) pages for a value that needs \(count)")
        return false
      }
      count = length
    }
    guard claim(first, count: count, from: page) else { return false }
    report.tables[tableIndex].overflowPageCount += count
    return true
  }

  /// The length that an overflow run's header gives, nil with a finding where there is no such header.
  private mutating func runLength(_ first: UInt64) throws(StoreError) -> UInt64? {
    var header: (UInt64, UInt64) = (0, 0)
    let (file, offset) = (file, first * UInt64(pageByteCount))
    let count = try withUnsafeMutableBytes(of: &header) { bytes throws(StoreError) in
      try file.read(into: bytes, at: offset)
    }
    report.runHeaderCount += 1
    return withUnsafeBytes(of: header) { bytes -> UInt64? in
      guard count == bytes.count, LMDBRunHeader(bytes).isHeader(ofPage: first) else {
        find(page: first, "no header of an overflow run")
        return nil
      }
      return UInt64(LMDBRunHeader(bytes).pageCount)
    }
  }

  /// A record of the freelist: the pages that transaction `key` freed, as a count and the page numbers in falling
  /// order.
  mutating func visitFreeRecord(
    _ node: LMDBNode, in page: UnsafeRawBufferPointer, runPage: UInt64?, from number: UInt64
  ) throws(StoreError) {
    let wordByteCount = MemoryLayout<UInt64>.size
    guard node.keyByteCount == wordByteCount, node.valueByteCount >= wordByteCount,
      node.valueByteCount % wordByteCount == 0
    else {
      find(page: number, "a freelist record of \(node.keyByteCount) + \(node.valueByteCount) bytes")
      return
    }
    let transaction = page.loadUnaligned(fromByteOffset: node.keyOffset, as: UInt64.self)
    guard (1...max(1, report.transactionID)).contains(transaction) else {
      find(page: number, "a freelist record of transaction \(transaction), after \(report.transactionID)")
      return
    }
    var previous = UInt64.max
    var remaining: UInt64?
    func visit(_ words: UnsafeRawBufferPointer, _ walk: inout LMDBFileWalk) -> Bool {
      for offset in stride(from: 0, to: words.count, by: wordByteCount) {
        let word = words.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        guard let left = remaining else {
          // LMDB may leave room behind the last number, so the count can be smaller than the record.
          guard word < UInt64(node.valueByteCount / wordByteCount) else {
            walk.find(page: number, "a freelist record of \(node.valueByteCount) bytes that counts \(word) pages")
            return false
          }
          remaining = word
          continue
        }
        guard left > 0 else { return false }
        guard word < previous else {
          walk.find(page: number, "a freelist record whose page numbers do not fall")
          return false
        }
        guard walk.claim(word, from: number, mayBeUnwritten: true) else { return false }
        walk.report.freePageCount += 1
        previous = word
        remaining = left - 1
      }
      return remaining != 0
    }
    guard let runPage else {
      _ = visit(
        UnsafeRawBufferPointer(rebasing: page[node.valueOffset..<node.valueOffset + node.valueByteCount]), &self)
      return
    }
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: wordByteCount)
    defer { piece.deallocate() }
    let start = runPage * UInt64(pageByteCount) + UInt64(LMDBFormat.pageHeaderByteCount)
    var done = 0
    while done < node.valueByteCount {
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, node.valueByteCount - done)])
      guard try file.read(into: part, at: start + UInt64(done)) == part.count else {
        find(page: runPage, "truncated: the file ends inside a freelist record")
        return
      }
      guard visit(UnsafeRawBufferPointer(part), &self) else { return }
      done += part.count
    }
  }
}

/// The header of an overflow run's first page, which LMDB trusts when it deletes the value.
package struct LMDBRunHeader: Hashable, Sendable {
  package static let byteCount = LMDBFormat.pageHeaderByteCount
  package let page: UInt64
  package let flags: UInt16
  package let pageCount: UInt32

  /// - Precondition: `bytes` has 16 bytes: those right before the value.
  package init(_ bytes: UnsafeRawBufferPointer) {
    page = bytes.loadUnaligned(as: UInt64.self)
    flags = bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
    pageCount = bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
  }

  func isHeader(ofPage number: UInt64) -> Bool {
    page == number && flags == LMDBFormat.PageFlags.overflow && pageCount > 0
  }

  /// Whether LMDB may delete the value of this many bytes that stands behind this header, on page `number`. Extents
  /// are never replaced in place, so their runs are just as long as they need.
  func isExact(page number: UInt64, valueByteCount: Int, pageByteCount: Int) -> Bool {
    isHeader(ofPage: number)
      && UInt64(pageCount) == LMDBFormat.runPageCount(valueByteCount: valueByteCount, pageByteCount: pageByteCount)
  }
}
