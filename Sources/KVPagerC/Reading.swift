import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension PlaneTable {
  /// Bytes of rows on their way to strided memory: what stays in cache.
  private static let stagingByteCount = 4 << 20

  /// Fills the caller's memory with the rows of `tokens`: contiguous planes where they are wanted, strided ones by way
  /// of a bounded buffer, all planes of a block at one time.
  ///
  /// - Parameter read: fills destinations with the rows of tokens; returns how many tokens' from the first on.
  /// - Returns: the tokens read: fewer than asked for where `read` stopped early.
  func read(
    _ tokens: Range<Int>,
    _ read: (Range<Int>, [PlaneDestination]) throws(StoreError) -> Int
  ) throws(StoreError) -> Int {
    let wanted = planes.enumerated().compactMap { plane, rows in rows.map { (plane: plane, rows: $0) } }
    guard !wanted.isEmpty else { return tokens.count }
    let stagedByteCount = wanted.reduce(0) { $0 + ($1.rows.isContiguous ? 0 : $1.rows.rowByteCount) }
    // A block at least, for less would decode it twice; it is no more than a frame, which the RAM budget holds.
    let pieceTokenCount =
      stagedByteCount == 0
      ? tokens.count : min(tokens.count, max(layout.blockTokenCount, Self.stagingByteCount / stagedByteCount))
    guard let staging = malloc(max(1, pieceTokenCount * stagedByteCount)) else {
      throw StoreError(.inputOutput, "out of memory for \(pieceTokenCount * stagedByteCount) bytes of rows")
    }
    defer { free(staging) }
    var first = tokens.lowerBound
    while first < tokens.upperBound {
      var end = min(first + pieceTokenCount, tokens.upperBound)
      // Ends where a block ends.
      let blockEnd = end / layout.blockTokenCount * layout.blockTokenCount
      if end < tokens.upperBound, blockEnd > first { end = blockEnd }
      let rows = first - tokens.lowerBound..<end - tokens.lowerBound
      var offset = 0
      var destinations: [PlaneDestination] = []
      for (plane, place) in wanted {
        var bytes = UnsafeMutableRawBufferPointer(start: staging + offset, count: rows.count * place.rowByteCount)
        if place.isContiguous { bytes = place.bytes(rows) } else { offset += bytes.count }
        destinations.append(PlaneDestination(plane: plane, bytes: bytes))
      }
      let count = try read(first..<end, destinations)
      for (target, source) in zip(wanted, destinations) where !target.rows.isContiguous {
        target.rows.fill(rows.prefix(count), from: UnsafeRawBufferPointer(source.bytes))
      }
      guard count == rows.count else { return rows.lowerBound + count }
      first = end
    }
    return tokens.count
  }
}
