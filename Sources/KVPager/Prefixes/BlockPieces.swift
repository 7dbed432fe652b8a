/// A range of a sequence's tokens, cut where blocks end.
struct BlockPieces: Sequence, IteratorProtocol {
  struct Piece {
    let block: Int
    /// Rows inside the block.
    let rows: Range<Int>
    /// The sequence's token that the first of the rows belongs to.
    let firstToken: Int
  }

  private var rest: Range<Int>
  private let blockTokenCount: Int

  init(of tokens: Range<Int>, blockTokenCount: Int) {
    rest = tokens
    self.blockTokenCount = blockTokenCount
  }

  mutating func next() -> Piece? {
    guard let first = rest.first else { return nil }
    let block = first / blockTokenCount
    let end = Swift.min(rest.upperBound, (block + 1) * blockTokenCount)
    rest = end..<rest.upperBound
    let start = block * blockTokenCount
    return Piece(block: block, rows: first - start..<end - start, firstToken: first)
  }
}
