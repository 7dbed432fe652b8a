import KVBlocks

/// One sequence's keys and values of one layer where they lie: block by block, anywhere in memory.
///
/// Nothing is copied and nothing owned: whoever makes one keeps the blocks leased, and their rows as they are, until
/// the attention over them has returned.
public struct PagedRows: @unchecked Sendable {  // because: it names memory that nobody writes to meanwhile
  public let blockTokenCount: Int
  /// Tokens of the sequence; the last block may hold fewer than it has room for.
  public let tokenCount: Int
  let keys: [UnsafeRawPointer]
  let values: [UnsafeRawPointer]

  /// - Parameters:
  ///   - keys: for each block, where the row of its first token begins in the plane of keys; the others follow it
  ///     token by token, each ``AttentionShape/rowByteCount`` bytes. Aligned to an element.
  ///   - values: likewise the planes of values.
  /// - Precondition: a block for every `blockTokenCount` tokens, the last one begun included.
  public init(
    blockTokenCount: Int, tokenCount: Int, unsafeKeys keys: [UnsafeRawPointer], values: [UnsafeRawPointer]
  ) {
    precondition(blockTokenCount > 0 && tokenCount > 0, "a sequence has tokens, and so have its blocks")
    let blockCount = (tokenCount - 1) / blockTokenCount + 1
    precondition(keys.count >= blockCount && values.count >= blockCount, "a sequence's table names all its blocks")
    self.blockTokenCount = blockTokenCount
    self.tokenCount = tokenCount
    self.keys = keys
    self.values = values
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
      var key = (keys[block] + row * rowByteCount).assumingMemoryBound(to: UInt8.self)
      var value = (values[block] + row * rowByteCount).assumingMemoryBound(to: UInt8.self)
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
    guard blockTokenCount == other.blockTokenCount, tokens.upperBound <= min(tokenCount, other.tokenCount) else {
      return false
    }
    let blocks = tokens.lowerBound / blockTokenCount...(tokens.upperBound - 1) / blockTokenCount
    return keys[blocks] == other.keys[blocks] && values[blocks] == other.values[blocks]
  }
}
