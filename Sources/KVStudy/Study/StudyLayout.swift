import KVBlocks

/// The model whose keys and values lie in memory.
package struct StudyLayout: Hashable, Sendable {
  package var layerCount = 32
  package var keyValueHeadCount = 8
  package var headSize = 128
  package var queryHeadCount = 32
  package var elementType = ElementType.f16
  /// Bytes of one token's rows over all layers.
  package private(set) var tokenByteCount = 131_072
  /// The store that it was taken from, and where heads had to be guessed from the rows' length.
  package private(set) var source: String?
  package private(set) var headsAreAssumed = false

  /// An 8B model's.
  package init() {}

  /// - Throws: `invalidArgument`, naming what cannot be.
  package init(
    layerCount: Int, keyValueHeadCount: Int, headSize: Int, queryHeadCount: Int, elementType: ElementType
  ) throws(StoreError) {
    func check(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(StoreError) {
      guard range.contains(value) else {
        throw .invalidArgument("\(value) \(name); give \(range.lowerBound) to \(range.upperBound)")
      }
    }
    try check(layerCount, 1...4096, "layers")
    try check(keyValueHeadCount, 1...4096, "heads of keys and values")
    try check(headSize, 1...4096, "elements of a head")
    try check(queryHeadCount, 1...65_536, "query heads")
    guard queryHeadCount % keyValueHeadCount == 0 else {
      throw .invalidArgument(
        "\(queryHeadCount) query heads over \(keyValueHeadCount) heads of keys and values; "
          + "each of those must serve the same number of query heads")
    }
    guard [.f16, .bf16, .f32].contains(elementType) else {
      throw .invalidArgument("the type \(elementType.name); give f16, bf16 or f32, or a store that has the layout")
    }
    self.layerCount = layerCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headSize = headSize
    self.queryHeadCount = queryHeadCount
    self.elementType = elementType
    tokenByteCount = 2 * layerCount * keyValueHeadCount * headSize * elementType.unitByteCount
  }

  /// A store's. It knows rows, not heads: unless told, heads are as long as the commonest length that fits, and each
  /// serves one query head.
  package init(
    _ layout: BlockLayout, source: String, keyValueHeadCount: Int?, headSize: Int?, queryHeadCount: Int?
  ) throws(StoreError) {
    let keys = layout.planes.first { $0.plane.kind == .keys } ?? layout.planes[0]
    let elementCount = keys.rowByteCount / keys.elementType.unitByteCount * keys.elementType.unitValueCount
    let size: Int
    if let headSize {
      size = headSize
    } else if let keyValueHeadCount, keyValueHeadCount > 0 {
      size = elementCount / keyValueHeadCount
    } else {
      size = [128, 64, 96, 80, 256, 32, 16].first { elementCount % $0 == 0 } ?? elementCount
    }
    guard size > 0, elementCount % size == 0, keyValueHeadCount.map({ $0 == elementCount / size }) ?? true
    else {
      throw .invalidArgument(
        "the store's rows have \(elementCount) elements, which are not whole heads of \(size); "
          + "give --head-size or --kv-heads that fit")
    }
    layerCount = Set(layout.planes.map(\.plane.layer)).count
    self.keyValueHeadCount = elementCount / size
    self.headSize = size
    self.queryHeadCount = queryHeadCount ?? elementCount / size
    guard self.queryHeadCount > 0, self.queryHeadCount % self.keyValueHeadCount == 0 else {
      throw .invalidArgument(
        "\(self.queryHeadCount) query heads over the store's \(self.keyValueHeadCount) heads of keys and values; "
          + "each of those must serve the same number")
    }
    elementType = keys.elementType
    tokenByteCount = layout.tokenByteCount
    self.source = source
    headsAreAssumed = headSize == nil && keyValueHeadCount == nil
  }

  /// Bytes of one token's keys, or values, in one layer.
  var planeRowByteCount: Int {
    let elementCount = keyValueHeadCount * headSize
    return elementCount / elementType.unitValueCount * elementType.unitByteCount
  }

  /// "32 layers, 8 heads of 128, f16".
  package var summary: String {
    "\(layerCount) layer\(layerCount == 1 ? "" : "s"), \(keyValueHeadCount) head\(keyValueHeadCount == 1 ? "" : "s") "
      + "of \(headSize), \(elementType.name)"
  }
}
