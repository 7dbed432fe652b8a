import KVBlocks
import KVDiskTier

// Invariants: of each side one plane's rows of one block are in memory at a time.

/// Holds the rows of two block tables against each other, as far as their tokens are equal.
struct RowComparer {
  /// One of the two: where its rows lie.
  struct Side {
    let tier: DiskTier
    let space: SpaceRecord
    let blocks: [BlockHash]

    var blockTokenCount: Int { space.layout.blockTokenCount }
    func key(at token: Int) -> BlockKey? {
      let index = token / blockTokenCount
      return index < blocks.count ? BlockKey(space: space.id, hash: blocks[index]) : nil
    }
  }

  /// A plane that both have, with as many values a row.
  private struct PlanePair {
    let a: Int
    let b: Int
    let types: (a: ElementType, b: ElementType)
    var hasOneType: Bool { types.a == types.b }
  }

  private let a: Side
  private let b: Side
  private let pairs: [PlanePair]
  private var differences: [Int: RowComparison.PlaneDifference] = [:]
  private var result = RowComparison()
  private var scratch: [Float] = []

  init(_ a: Side, _ b: Side) {
    self.a = a
    self.b = b
    let (first, second) = (a.space.layout, b.space.layout)
    func valueCount(_ plane: PlaneLayout) -> Int {
      plane.rowByteCount / plane.elementType.unitByteCount * plane.elementType.unitValueCount
    }
    pairs = first.planes.indices.compactMap { index in
      let plane = first.planes[index]
      guard let other = second.index(of: plane.plane) else { return nil }
      let twin = second.planes[other]
      let isKnown = ElementValues.areKnown(plane.elementType) && ElementValues.areKnown(twin.elementType)
      guard valueCount(plane) == valueCount(twin), plane.elementType == twin.elementType || isKnown else { return nil }
      return PlanePair(a: index, b: other, types: (plane.elementType, twin.elementType))
    }
    result.incomparablePlaneCount = first.planes.count + second.planes.count - 2 * pairs.count
  }

  /// Compares the rows of the first `tokenCount` tokens.
  mutating func compare(tokenCount: Int) throws(StoreError) -> RowComparison {
    var token = 0
    while token < tokenCount {
      let end = min(
        tokenCount, (token / a.blockTokenCount + 1) * a.blockTokenCount,
        (token / b.blockTokenCount + 1) * b.blockTokenCount)
      try compare(token..<end)
      token = end
    }
    result.planes = pairs.indices.compactMap { differences[$0] }
    return result
  }

  /// Tokens of one block on either side.
  private mutating func compare(_ tokens: Range<Int>) throws(StoreError) {
    guard let keyA = a.key(at: tokens.lowerBound), let keyB = b.key(at: tokens.lowerBound) else {
      note(missing: tokens, "a block table is too short")
      return
    }
    if a.tier === b.tier, keyA == keyB {
      result.comparedTokenCount += tokens.count
      result.sharedTokenCount += tokens.count
      return
    }
    for (place, pair) in pairs.enumerated() {
      let rowsA = try Self.rows(tokens, of: keyA, plane: pair.a, a)
      let rowsB = try Self.rows(tokens, of: keyB, plane: pair.b, b)
      switch (rowsA, rowsB) {
      case (.success(let rowsA), .success(let rowsB)):
        compare(rowsA, rowsB, tokens, place)
      case (.failure(let reason), _), (_, .failure(let reason)):
        note(missing: tokens, reason.message)
        return
      }
    }
    result.comparedTokenCount += tokens.count
  }

  private struct Absence: Error { let message: String }

  private static func rows(
    _ tokens: Range<Int>, of key: BlockKey, plane: Int, _ side: Side
  ) throws(StoreError) -> Result<[UInt8], Absence> {
    let first = tokens.lowerBound / side.blockTokenCount * side.blockTokenCount
    let rows = tokens.lowerBound - first..<tokens.upperBound - first
    var bytes = [UInt8](repeating: 0, count: rows.count * side.space.layout.planes[plane].rowByteCount)
    var outcome = Result<LoadOutcome, StoreError>.success(.absent)
    bytes.withUnsafeMutableBytes { buffer in
      do throws(StoreError) {
        outcome = .success(
          try side.tier.loadPlane(key, layout: side.space.layout, plane: plane, rows: rows, into: buffer))
      } catch {
        outcome = .failure(error)
      }
    }
    switch try outcome.get() {
    case .loaded: return .success(bytes)
    case .absent: return .failure(Absence(message: "block \(key.hash) is not stored in \(side.tier.path)"))
    case .damaged(let what): return .failure(Absence(message: "block \(key.hash) in \(side.tier.path): \(what)"))
    }
  }

  private mutating func note(missing tokens: Range<Int>, _ reason: String) {
    result.missingTokenCount += tokens.count
    if result.missingReason == nil { result.missingReason = reason }
  }

  // MARK: Rows

  private mutating func compare(_ rowsA: [UInt8], _ rowsB: [UInt8], _ tokens: Range<Int>, _ place: Int) {
    let pair = pairs[place]
    if pair.hasOneType, rowsA == rowsB { return }
    let (rowBytesA, rowBytesB) = (rowsA.count / tokens.count, rowsB.count / tokens.count)
    rowsA.withUnsafeBytes { rowsA in
      rowsB.withUnsafeBytes { rowsB in
        for (row, token) in tokens.enumerated() {
          let a = UnsafeRawBufferPointer(rebasing: rowsA[row * rowBytesA..<(row + 1) * rowBytesA])
          let b = UnsafeRawBufferPointer(rebasing: rowsB[row * rowBytesB..<(row + 1) * rowBytesB])
          if pair.hasOneType, a.elementsEqual(b) { continue }
          compareRow(a, b, token, place)
        }
      }
    }
  }

  private mutating func compareRow(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ token: Int, _ place: Int
  ) {
    let pair = pairs[place]
    let plane = self.a.space.layout.planes[pair.a].plane
    var difference =
      differences[place]
      ?? RowComparison.PlaneDifference(
        plane: plane, elementTypes: pair.hasOneType ? [pair.types.a] : [pair.types.a, pair.types.b],
        byteCount: pair.hasOneType ? 0 : nil)
    let isDifferent = compareNumbers(a, b, pair, token, &difference.numbers) || pair.hasOneType
    // Other types may hold the same numbers.
    guard isDifferent else { return }
    difference.rowCount += 1
    if pair.hasOneType {
      var count = 0
      for index in a.indices where a[index] != b[index] { count += 1 }
      difference.byteCount = (difference.byteCount ?? 0) + count
    }
    differences[place] = difference
    if result.firstToken.map({ token < $0 }) ?? true { (result.firstToken, result.firstPlane) = (token, plane) }
  }

  /// Whether any number differs.
  private mutating func compareNumbers(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, _ pair: PlanePair, _ token: Int,
    _ numbers: inout RowComparison.NumberDifference
  ) -> Bool {
    guard ElementValues.areKnown(pair.types.a) else { return false }
    scratch.removeAll(keepingCapacity: true)
    ElementValues.forEach(pair.types.a, a) { scratch.append(contentsOf: $0) }
    var (element, found) = (0, numbers)
    let before = numbers.valueCount
    ElementValues.forEach(pair.types.b, b) { values in
      for value in values {
        let other = scratch[element]
        defer { element += 1 }
        if value == other || (value.isNaN && other.isNaN) { continue }
        found.valueCount += 1
        let distance = abs(Double(value) - Double(other))
        guard distance.isFinite else {
          found.nonFiniteCount += 1
          continue
        }
        if found.largest.map({ distance > $0 }) ?? true {
          (found.largest, found.token, found.element) = (distance, token, element)
        }
      }
    }
    numbers = found
    return found.valueCount > before
  }
}
