import KVBlocks
import KVCodec
import KVDiskTier

/// Adds up frames' headers, space by space, and scales them to all blocks.
struct PlaneCount {
  fileprivate struct Sample {
    let layout: BlockLayout
    var frameCount = 0
    var headerByteCount = 0
    /// As the layout's planes.
    var entries: [PlaneStatistics.Entry]
  }

  private var samples: [SpaceID: Sample] = [:]
  private(set) var damagedFrameCount = 0

  init(_ spaces: [SpaceRecord]) {
    for space in spaces {
      samples[space.id] = Sample(
        layout: space.layout,
        entries: space.layout.planes.map {
          .init(
            space: space.id, plane: $0.plane, elementType: $0.elementType, rawByteCount: 0, storedByteCount: 0,
            codecs: [:])
        })
    }
  }

  mutating func addDamaged() { damagedFrameCount += 1 }

  mutating func add(_ header: FrameHeader) {
    // A frame of other planes than its space has is no frame of this space.
    guard header.kind == .block, let layout = samples[header.key.space]?.layout,
      header.planes.elementsEqual(layout.planes, by: { $0.layout == $1 })
    else { return addDamaged() }
    samples[header.key.space]?.add(header)
  }

  /// - Parameter totals: what each space's blocks add up to.
  func statistics(_ totals: [SpaceID: SpaceCount]) -> PlaneStatistics {
    var result = PlaneStatistics(
      entries: [], headerByteCount: 0, readFrameCount: 0, frameCount: 0, damagedFrameCount: damagedFrameCount)
    for (space, total) in totals.sorted(by: { $0.key < $1.key }) where total.blockCount > 0 {
      result.frameCount += total.blockCount
      guard let sample = samples[space], sample.frameCount > 0 else { continue }
      result.readFrameCount += sample.frameCount
      let rawByteCount = sample.entries.reduce(0) { $0 &+ $1.rawByteCount }
      let isWhole = sample.frameCount == total.blockCount
      // Rows are known of all blocks; what they came down to is known of the sample.
      let rows = isWhole || rawByteCount == 0 ? 1 : Double(total.uniqueByteCount) / Double(rawByteCount)
      let frames = isWhole ? 1 : Double(total.blockCount) / Double(sample.frameCount)
      result.headerByteCount &+= Self.scaled(sample.headerByteCount, frames)
      for var entry in sample.entries {
        entry.rawByteCount = Self.scaled(entry.rawByteCount, rows)
        entry.storedByteCount = Self.scaled(entry.storedByteCount, rows)
        result.entries.append(entry)
      }
    }
    return result
  }

  private static func scaled(_ count: Int, _ factor: Double) -> Int {
    factor == 1 ? count : Int(exactly: (Double(count) * factor).rounded()) ?? count
  }
}

fileprivate extension PlaneCount.Sample {
  mutating func add(_ header: FrameHeader) {
    frameCount += 1
    headerByteCount &+= header.headerByteCount
    for (index, plane) in header.planes.enumerated() {
      entries[index].rawByteCount &+= plane.rawByteCount
      entries[index].storedByteCount &+= plane.storedByteCount
      let codec = plane.compressor == .none ? "\(plane.filter)" : "\(plane.filter)+\(plane.compressor)"
      entries[index].codecs[codec, default: 0] += 1
    }
  }
}
