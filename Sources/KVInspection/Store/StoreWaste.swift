import KVBlocks
import KVDiskTier

/// What takes room and holds no keys and values.
package struct StoreWaste: Hashable, Sendable {
  /// Blocks shorter than their layout's: each takes a whole frame in RAM, its own rows alone on disk.
  package var tailCount = 0
  /// Tokens that those blocks are short of.
  package var missingTokenCount = 0
  /// Bytes of the rows of those tokens: what they would take in RAM.
  package var unusedRowByteCount = 0
  /// Bytes of the file around the frames, checkpoints and session records that lie in extents: headers, and the rest of
  /// the last page or quantum of each.
  package var extentPaddingByteCount = 0
  /// Bytes of pages that hold the trees: keys, small records, and LMDB's own.
  package var treeByteCount = 0
  /// Bytes of pages that the next writes take before the file grows.
  package var freeByteCount = 0
  /// Bytes of pages that are neither in use nor free: lost until the store is copied.
  package var unreachableByteCount = 0

  mutating func addTail(missing tokenCount: Int, tokenByteCount: Int) {
    tailCount += 1
    missingTokenCount &+= tokenCount
    unusedRowByteCount &+= tokenCount &* tokenByteCount
  }

  mutating func addPadding(of frame: FrameReference) {
    extentPaddingByteCount &+= max(0, frame.diskByteCount - frame.byteCount)
  }

  mutating func add(_ file: LMDBFileReport) {
    let page = file.pageByteCount
    treeByteCount = Int(clamping: file.treePageCount).multipliedOrMax(by: page)
    freeByteCount = Int(clamping: file.freePageCount).multipliedOrMax(by: page)
    unreachableByteCount = Int(clamping: file.unreachablePageCount).multipliedOrMax(by: page)
  }
}

extension Int {
  fileprivate func multipliedOrMax(by factor: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}

extension StoreWaste: JSONConvertible {
  package var json: JSONValue {
    [
      "tails": [
        "blocks": .integer(tailCount), "missingTokens": .integer(missingTokenCount),
        "unusedRowBytes": .integer(unusedRowByteCount),
      ],
      "extentPaddingBytes": .integer(extentPaddingByteCount), "treeBytes": .integer(treeByteCount),
      "freeBytes": .integer(freeByteCount), "unreachableBytes": .integer(unreachableByteCount),
    ]
  }
}
