/// Rows of one plane of a block, and where they go: memory of just their bytes, which nobody else touches meanwhile.
package struct PlaneRows: @unchecked Sendable {  // because: each piece's destination is its own
  package let key: BlockKey
  package let rows: Range<Int>
  package let destination: UnsafeMutableRawBufferPointer

  package init(key: BlockKey, rows: Range<Int>, destination: UnsafeMutableRawBufferPointer) {
    self.key = key
    self.rows = rows
    self.destination = destination
  }
}
