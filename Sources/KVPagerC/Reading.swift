import KVInterchange
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where rows of one plane go.
struct PlaneDestination {
  let plane: Int
  let bytes: UnsafeMutableRawBufferPointer
}

extension PlaneTable {
  /// Bytes of rows on their way to strided memory.
  private static let stagingByteCount = 32 << 20

  /// Fills the caller's memory with the rows of `tokens`: `read` writes contiguous planes where they are wanted, and
  /// strided ones by way of a bounded buffer. Returns the tokens read, which `read` tells of each stretch.
  func read(
    _ tokens: Range<Int>,
    _ read: ([PlaneDestination], Range<Int>) throws(StoreError) -> Int
  ) throws(StoreError) -> Int {
    var direct: [PlaneDestination] = []
    var strided: [(plane: Int, rows: StridedRows)] = []
    for (plane, rows) in planes.enumerated() {
      guard let rows else { continue }
      if rows.isContiguous {
        direct.append(PlaneDestination(plane: plane, bytes: rows.bytes(0..<tokens.count)))
      } else {
        strided.append((plane, rows))
      }
    }
    guard !tokens.isEmpty else { return 0 }
    let count = direct.isEmpty ? tokens.count : try read(direct, tokens)
    guard !strided.isEmpty else { return count }
    return try readStrided(strided, tokens.prefix(count), read)
  }

  private func readStrided(
    _ strided: [(plane: Int, rows: StridedRows)], _ tokens: Range<Int>,
    _ read: ([PlaneDestination], Range<Int>) throws(StoreError) -> Int
  ) throws(StoreError) -> Int {
    let tokenByteCount = strided.reduce(0) { $0 + $1.rows.rowByteCount }
    let pieceTokenCount = min(tokens.count, max(1, Self.stagingByteCount / tokenByteCount))
    guard let staging = malloc(max(1, pieceTokenCount * tokenByteCount)) else {
      throw StoreError(.inputOutput, "out of memory for \(pieceTokenCount * tokenByteCount) bytes of rows")
    }
    defer { free(staging) }
    var first = tokens.lowerBound
    while first < tokens.upperBound {
      var end = min(first + pieceTokenCount, tokens.upperBound)
      // Whole blocks, where that many fit: a block is decoded once.
      let blockEnd = end / layout.blockTokenCount * layout.blockTokenCount
      if end < tokens.upperBound, blockEnd > first { end = blockEnd }
      var destinations: [PlaneDestination] = []
      var offset = 0
      for (plane, rows) in strided {
        let byteCount = (end - first) * rows.rowByteCount
        destinations.append(
          PlaneDestination(
            plane: plane, bytes: UnsafeMutableRawBufferPointer(start: staging + offset, count: byteCount)))
        offset += byteCount
      }
      let count = try read(destinations, first..<end)
      let rows = first - tokens.lowerBound..<first - tokens.lowerBound + count
      for (target, source) in zip(strided, destinations) {
        target.rows.fill(
          rows, from: UnsafeRawBufferPointer(rebasing: source.bytes[..<(count * target.rows.rowByteCount)]))
      }
      guard count == end - first else { return rows.upperBound }
      first = end
    }
    return tokens.count
  }
}

extension OpenPrefix {
  /// Returns the tokens read: fewer where a block was lost.
  func read(_ tokens: Range<Int>, into destinations: [PlaneDestination]) throws(StoreError) -> Int {
    var count = tokens.count
    for destination in destinations {
      count = min(count, try prefix.gather(plane: destination.plane, tokens: tokens, into: destination.bytes))
    }
    return count
  }
}

extension Session {
  func readPlanes(_ tokens: Range<Int>, into destinations: [PlaneDestination]) throws(StoreError) {
    for destination in destinations {
      try gather(plane: destination.plane, tokens: tokens, into: destination.bytes)
    }
  }
}

extension StateExport {
  /// Writes the state into memory of just its size.
  func write(
    into bytes: UnsafeMutableRawBufferPointer,
    read: ([PlaneDestination], Range<Int>) throws(StoreError) -> Void
  ) throws(StoreError) {
    var offset = 0
    try write(
      to: { (piece: UnsafeRawBufferPointer) throws(StoreError) in
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + piece.count]).copyMemory(from: piece)
        offset += piece.count
      },
      gather: { (plane, rows, destination) throws(StoreError) in
        try read([PlaneDestination(plane: plane, bytes: destination)], rows)
      }, progress: nil)
  }
}
