/// Rows of a block that a read wants, and where they stand among all rows of that read.
package struct BlockRows: Sendable {
  package let key: BlockKey
  package let rows: Range<Int>
  /// The place of the first of them in the read's destinations, counted in rows.
  package let firstRow: Int

  package init(key: BlockKey, rows: Range<Int>, firstRow: Int) {
    self.key = key
    self.rows = rows
    self.firstRow = firstRow
  }
}

extension PlaneDestination {
  /// The part of the destination that is a block's.
  package func part(for block: BlockRows, rowByteCount: Int) -> UnsafeMutableRawBufferPointer {
    let start = block.firstRow * rowByteCount
    return UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + block.rows.count * rowByteCount])
  }
}
