import KVBlocks
import KVPager

/// What was measured on this machine.
package struct StudyMeasurements: Sendable {
  package var attention: AttentionMeasurement?
  /// Why attention was not measured.
  package var attentionRefusal: String?
  package var lookup: LookupMeasurement
  package var codec: CodecMeasurement

  package init(
    attention: AttentionMeasurement?, attentionRefusal: String? = nil, lookup: LookupMeasurement,
    codec: CodecMeasurement
  ) {
    self.attention = attention
    self.attentionRefusal = attentionRefusal
    self.lookup = lookup
    self.codec = codec
  }

  /// - Parameter rows: of a store; nil: made up.
  /// - Throws: `invalidArgument` for rows that no store takes; what a store in the folder for temporary files throws
  ///   (`diskFull`, `permissionDenied`).
  package static func measure(
    _ layout: StudyLayout, rows: SampleRows?, progress: (String) -> Void
  ) throws(StoreError) -> StudyMeasurements {
    try checkRows(of: layout)
    progress("attention through blocks")
    var attention: AttentionMeasurement?
    var refusal: String?
    do throws(StoreError) {
      attention = try AttentionMeasurement.measure(layout)
    } catch {
      guard error.code == .invalidArgument else { throw error }
      refusal = error.message
    }
    progress("look-ups")
    let lookup = try LookupMeasurement.measure()
    progress("compression")
    let codec = try CodecMeasurement.measure(rows ?? SampleRows(layout), of: layout)
    return StudyMeasurements(attention: attention, attentionRefusal: refusal, lookup: lookup, codec: codec)
  }

  /// Rows longer than a store's cannot be compressed as one stores them. A store's own are never so long.
  private static func checkRows(of layout: StudyLayout) throws(StoreError) {
    let rowByteCount = layout.planeRowByteCount
    guard rowByteCount <= BlockLayout.rowByteCountLimit else {
      throw .invalidArgument(
        "a token's keys of one layer take \(rowByteCount) bytes, and a store takes up to "
          + "\(BlockLayout.rowByteCountLimit): give fewer or shorter heads, or add --no-measure")
    }
  }

  // MARK: As shares, for a recommendation

  /// Time that attention takes longer than over one array; none where the difference is no larger than that of one
  /// array to itself in a round.
  func attentionCost(_ blockTokenCount: Int) -> Double? {
    guard let attention, let figure = attention.figure(blockTokenCount) else { return nil }
    return figure.ratio - 1 > attention.controlSpread ? figure.ratio - 1 : 0
  }

  /// Bytes on disk more than at the size that takes least.
  func byteCost(_ blockTokenCount: Int) -> Double? {
    guard let least = codec.figures.map(\.diskByteCount).min(), let figure = codec.figure(blockTokenCount) else {
      return nil
    }
    return figure.diskByteCount / least - 1
  }

  /// Time to find a prompt on disk, of the time to compute it.
  func lookupCost(_ blockTokenCount: Int, prefillRate: Int) -> Double? {
    lookup.figure(blockTokenCount).map { $0.diskMicroseconds * Double(prefillRate) / 1e9 }
  }
}

/// A clock, and what is told of many readings.
enum Stopwatch {
  static func microseconds<E: Error>(_ body: () throws(E) -> Void) throws(E) -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .microseconds(1)
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard let middle = sorted.dropFirst(sorted.count / 2).first else { return 0 }
    return sorted.count % 2 == 1 ? middle : (middle + sorted[sorted.count / 2 - 1]) / 2
  }
}
