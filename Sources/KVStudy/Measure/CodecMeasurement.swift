import KVBlocks
import KVCodec
import KVInspection

/// What blocks take on disk and what it costs to encode and decode them, by block size.
package struct CodecMeasurement: Sendable {
  package struct Figure: Hashable, Sendable {
    package var blockTokenCount: Int
    /// Of a token with all planes of the layout, in a full block: its part of the frame, and of the extents that the
    /// frame lies in.
    package var frameByteCount: Double
    package var diskByteCount: Double
    /// Bytes of rows a second, in 10^9, on one thread.
    package var encodeRate: Double
    package var decodeRate: Double

    package init(
      blockTokenCount: Int, frameByteCount: Double, diskByteCount: Double, encodeRate: Double, decodeRate: Double
    ) {
      self.blockTokenCount = blockTokenCount
      self.frameByteCount = frameByteCount
      self.diskByteCount = diskByteCount
      self.encodeRate = encodeRate
      self.decodeRate = decodeRate
    }
  }

  private static let roundCount = 3

  /// Nil where the rows are made up.
  package var source: String?
  package var tokenCount: Int
  package var planeCount: Int
  /// Bytes of a token's rows.
  package var tokenByteCount: Int
  /// No size that is longer than the rows that there are.
  package var figures: [Figure]

  package init(source: String?, tokenCount: Int, planeCount: Int, tokenByteCount: Int, figures: [Figure]) {
    self.source = source
    self.tokenCount = tokenCount
    self.planeCount = planeCount
    self.tokenByteCount = tokenByteCount
    self.figures = figures
  }

  package func figure(_ blockTokenCount: Int) -> Figure? { figures.first { $0.blockTokenCount == blockTokenCount } }

  static func measure(_ rows: SampleRows, of layout: StudyLayout) throws(StoreError) -> CodecMeasurement {
    let sizes = AllocationPolicy.blockTokenCounts.filter { $0 <= rows.tokenCount }
    var benches: [CodecBench] = []
    for size in sizes { benches.append(try CodecBench(rows, blockTokenCount: size)) }
    for _ in 0..<roundCount {
      for index in benches.indices { try benches[index].run(rows) }
    }
    let figures = benches.map { bench in
      // The planes that were not tried are like those that were.
      let share = Double(layout.tokenByteCount) / Double(bench.tokenByteCount)
      let planeCount = 2 * layout.layerCount
      let frame =
        Double(bench.storedByteCount) / Double(bench.blockCount) * share
        + Double(
          FrameFormat.headerByteCount(
            planeCount: planeCount, tokenCount: bench.blockTokenCount, extraByteCount: 1))
      let disk = StoredSize.diskByteCount(ofFrame: Int(frame.rounded()))
      let byteCount = Double(bench.byteCount) / 1000
      return Figure(
        blockTokenCount: bench.blockTokenCount, frameByteCount: frame / Double(bench.blockTokenCount),
        diskByteCount: Double(disk) / Double(bench.blockTokenCount),
        encodeRate: byteCount / Stopwatch.median(bench.encodeTimes),
        decodeRate: byteCount / Stopwatch.median(bench.decodeTimes))
    }
    return CodecMeasurement(
      source: rows.source, tokenCount: rows.tokenCount, planeCount: rows.planes.count,
      tokenByteCount: layout.tokenByteCount, figures: figures)
  }
}

/// Rows cut into blocks of one size, each when its turn comes: no more than one is held.
private struct CodecBench {
  let blockTokenCount: Int
  let layout: BlockLayout
  var encodeTimes: [Double] = []
  var decodeTimes: [Double] = []
  /// Of all planes in all blocks, headers not counted.
  var storedByteCount = 0

  let blockCount: Int
  var tokenByteCount: Int { layout.tokenByteCount }
  var byteCount: Int { blockCount * blockTokenCount * layout.tokenByteCount }

  init(_ rows: SampleRows, blockTokenCount: Int) throws(StoreError) {
    self.blockTokenCount = blockTokenCount
    layout = try BlockLayout(blockTokenCount: blockTokenCount, planes: rows.planes.map(\.layout))
    blockCount = rows.tokenCount / blockTokenCount
  }

  private func cut(_ rows: SampleRows, from start: Int, into frame: inout [UInt8]) -> BlockDescriptor {
    for (index, plane) in rows.planes.enumerated() {
      let row = plane.layout.rowByteCount
      let range = layout.byteRange(ofPlane: index, rows: 0..<blockTokenCount)
      frame.replaceSubrange(range, with: plane.bytes[start * row..<(start + blockTokenCount) * row])
    }
    let tokens = (start..<start + blockTokenCount).map { Token($0) }
    return BlockDescriptor(space: SpaceID(rawValue: 1), parent: ChainHash.root(seed: "study"), tokens: tokens)
  }

  /// Encodes and decodes all blocks once.
  mutating func run(_ rows: SampleRows) throws(StoreError) {
    var encoder = BlockEncoder()
    var decoder = BlockDecoder()
    var (frame, decoded) = (
      [UInt8](repeating: 0, count: layout.frameByteCount), [UInt8](repeating: 0, count: layout.frameByteCount)
    )
    var (encodeTime, decodeTime, stored) = (0.0, 0.0, 0)
    do throws(FrameError) {
      for block in 0..<blockCount {
        let descriptor = cut(rows, from: block * blockTokenCount, into: &frame)
        var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        encodeTime += try Stopwatch.microseconds { () throws(FrameError) in
          bytes = try frame.span.bytes.withUnsafeBytes { (rows) throws(FrameError) in
            try encoder.encode(descriptor, layout: layout, frame: rows)
          }
        }
        let pieces = FramePieces([bytes])
        stored += try FrameHeader.parse(pieces).planes.reduce(0) { $0 + $1.storedByteCount }
        decodeTime += try Stopwatch.microseconds { () throws(FrameError) in
          var span = decoded.mutableSpan
          _ = try span.withUnsafeMutableBytes { (target) throws(FrameError) in
            try decoder.decode(pieces, layout: layout, expecting: descriptor.key, into: target)
          }
        }
      }
    } catch {
      throw StoreError(.damaged, "a block that was just encoded does not decode", cause: "\(error)")
    }
    encodeTimes.append(encodeTime)
    decodeTimes.append(decodeTime)
    storedByteCount = stored
  }
}
