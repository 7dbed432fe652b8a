import KVBlocks

/// One sequence's keys and values of one layer where they lie: block by block, anywhere in memory.
///
/// Nothing is copied and nothing owned: whoever makes one keeps the blocks leased, and their rows as they are, until
/// the attention over them has returned.
public struct PagedRows: @unchecked Sendable {  // because: it names memory that nobody writes to meanwhile
  public let blockTokenCount: Int
  /// Tokens of the sequence; the last block may hold fewer than it has room for.
  public let tokenCount: Int
  let frames: [UnsafeRawPointer]
  let keyOffset: Int
  let valueOffset: Int

  /// - Parameters:
  ///   - blockTokenCount: tokens that a block has room for.
  ///   - tokenCount: tokens of the sequence so far.
  ///   - frames: where each block's frame begins (`BlockLease.unsafeFrames`, `RunningSequence.unsafeFrames`).
  ///   - keyOffset: bytes from there to the layer's plane of keys (`BlockLayout.planeOffset(_:)`): the row of the
  ///     block's first token, which the others follow token by token, each ``AttentionShape/rowByteCount`` bytes.
  ///     Aligned to an element.
  ///   - valueOffset: likewise to the plane of values.
  /// - Precondition: a block for every `blockTokenCount` tokens, the last one begun included.
  public init(
    blockTokenCount: Int, tokenCount: Int, unsafeFrames frames: [UnsafeRawPointer], keysAt keyOffset: Int,
    valuesAt valueOffset: Int
  ) {
    precondition(blockTokenCount > 0 && tokenCount > 0, "a sequence has tokens, and so have its blocks")
    precondition(frames.count > (tokenCount - 1) / blockTokenCount, "a sequence's table names all its blocks")
    self.blockTokenCount = blockTokenCount
    self.tokenCount = tokenCount
    self.frames = frames
    self.keyOffset = keyOffset
    self.valueOffset = valueOffset
  }

  /// Writes down where the rows of `tokens` begin.
  func name(
    _ tokens: Range<Int>, rowByteCount: Int, keys keyRows: UnsafeMutablePointer<UnsafePointer<UInt8>?>,
    values valueRows: UnsafeMutablePointer<UnsafePointer<UInt8>?>
  ) {
    var (block, row) = tokens.lowerBound.quotientAndRemainder(dividingBy: blockTokenCount)
    var position = 0
    while position < tokens.count {
      let count = min(blockTokenCount - row, tokens.count - position)
      var key = (frames[block] + keyOffset + row * rowByteCount).assumingMemoryBound(to: UInt8.self)
      var value = (frames[block] + valueOffset + row * rowByteCount).assumingMemoryBound(to: UInt8.self)
      for index in position..<position + count {
        keyRows[index] = key
        valueRows[index] = value
        key += rowByteCount
        value += rowByteCount
      }
      position += count
      block += 1
      row = 0
    }
  }

  /// Whether the rows of `tokens` are the very same memory here and there.
  func shares(_ tokens: Range<Int>, with other: PagedRows) -> Bool {
    guard blockTokenCount == other.blockTokenCount, keyOffset == other.keyOffset, valueOffset == other.valueOffset,
      tokens.upperBound <= min(tokenCount, other.tokenCount)
    else {
      return false
    }
    let blocks = tokens.lowerBound / blockTokenCount...(tokens.upperBound - 1) / blockTokenCount
    return frames[blocks] == other.frames[blocks]
  }
}
