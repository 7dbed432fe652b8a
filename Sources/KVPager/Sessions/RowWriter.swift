/// Where the rows of some appended tokens go: memory inside a block's frame. Valid only inside the closure that
/// receives it.
public struct RowWriter: ~Copyable {
  /// Which of the appended tokens' rows are asked for (positions in the tokens given to `append`).
  public let tokens: Range<Int>
  public let layout: BlockLayout
  private let frame: UnsafeMutableRawBufferPointer
  private let rows: Range<Int>

  init(tokens: Range<Int>, layout: BlockLayout, frame: UnsafeMutableRawBufferPointer, rows: Range<Int>) {
    self.tokens = tokens
    self.layout = layout
    self.frame = frame
    self.rows = rows
  }

  /// The rows of plane `index` of ``layout``: `tokens.count * rowByteCount` bytes, token-major. Fill all of them; do
  /// not keep the pointer.
  public borrowing func withUnsafeRows<R, E: Error>(
    ofPlane index: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(UnsafeMutableRawBufferPointer(rebasing: frame[layout.byteRange(ofPlane: index, rows: rows)]))
  }

  /// Copies the rows of plane `index` from `source`, which holds just their bytes, token-major.
  public borrowing func write(_ source: UnsafeRawBufferPointer, toPlane index: Int) {
    withUnsafeRows(ofPlane: index) { rows in
      precondition(source.count == rows.count, "plane \(index): \(source.count) bytes given for \(rows.count)")
      rows.copyMemory(from: source)
    }
  }
}
