import KVTiering

/// The caller's pins on a run of blocks in RAM: none of them is evicted while the lease lives, and it cannot leak
/// (`~Copyable`).
///
/// Keep it short: pinned blocks are RAM that nobody else gets. Rows are read where they lie, or gathered into the
/// caller's memory.
public struct BlockLease: ~Copyable, Sendable {
  public let layout: BlockLayout
  /// Tokens that the lease covers, from the run's first.
  public let tokenCount: Int
  let pinned: PinnedBlocks

  init(layout: BlockLayout, tokenCount: Int, pinned: consuming PinnedBlocks) {
    self.layout = layout
    self.tokenCount = tokenCount
    self.pinned = pinned
  }

  public var blockCount: Int { (tokenCount + layout.blockTokenCount - 1) / layout.blockTokenCount }

  /// The tokens of the run that block `index` holds.
  public func tokenRange(ofBlock index: Int) -> Range<Int> {
    precondition((0..<blockCount).contains(index), "block \(index) of \(blockCount)")
    return index * layout.blockTokenCount..<min((index + 1) * layout.blockTokenCount, tokenCount)
  }

  /// Reads plane `plane` of block `index` where it lies: `tokenRange(ofBlock:).count` rows, token-major. No copy.
  public func withPlane<R, E: Error>(
    _ plane: Int, ofBlock index: Int, _ body: (RawSpan) throws(E) -> R
  ) throws(E) -> R {
    let bytes = layout.byteRange(ofPlane: plane, rows: 0..<tokenRange(ofBlock: index).count)
    return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: pinned.bytes(of: index)[bytes])))
  }

  /// Copies the rows of one plane over `tokens` (all of the lease's by default) into the caller's memory, token-major.
  /// - Precondition: `destination` has `tokens.count * rowByteCount` bytes.
  public func gather(
    plane: Int, tokens: Range<Int>? = nil, into destination: UnsafeMutableRawBufferPointer
  ) {
    let tokens = tokens ?? 0..<tokenCount
    precondition(tokens.lowerBound >= 0 && tokens.upperBound <= tokenCount, "tokens \(tokens) of \(tokenCount)")
    let rowByteCount = layout.planes[plane].rowByteCount
    precondition(destination.count == tokens.count * rowByteCount, "a destination of the rows' size")
    for piece in BlockPieces(of: tokens, blockTokenCount: layout.blockTokenCount) {
      let source = layout.byteRange(ofPlane: plane, rows: piece.rows)
      let start = (piece.firstToken - tokens.lowerBound) * rowByteCount
      UnsafeMutableRawBufferPointer(rebasing: destination[start..<start + source.count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: pinned.bytes(of: piece.block)[source]))
    }
  }
}

extension BlockLease {
  /// Where each block's frame begins, in order: plane `p` lies at `layout.planeOffset(p)`, its rows one after the
  /// other. Valid while the lease lives; nobody may write there.
  public var unsafeFrames: [UnsafeRawPointer] {
    (0..<blockCount).map { UnsafeRawPointer(pinned.bytes(of: $0).baseAddress!) }
  }
}
