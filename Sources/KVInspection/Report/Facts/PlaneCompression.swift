import KVBlocks
import KVCodec
import KVDiskTier

/// How well one plane of a space compresses.
package struct PlaneCompression: Hashable, Sendable {
  package var space: SpaceID
  package var plane: Plane
  package var elementType: ElementType
  package var rawByteCount = 0
  package var storedByteCount = 0
  /// Frames that were looked at, of the space's blocks.
  package var frameCount = 0
  package var blockCount = 0

  package var factor: Double { storedByteCount > 0 ? Double(rawByteCount) / Double(storedByteCount) : 0 }

  /// All planes of all spaces, by space, layer and kind. Of a space with more blocks than
  /// ``ReportOptions/frameSampleLimit``, frames spread evenly over the blocks' hashes are looked at.
  static func all(_ spaces: [SpaceFacts], _ tier: DiskTier) throws(StoreError) -> [PlaneCompression] {
    var result: [PlaneCompression] = []
    for facts in spaces where facts.blockCount > 0 {
      var sums: [Plane: PlaneCompression] = [:]
      for layout in facts.space.layout.planes {
        sums[layout.plane] = PlaneCompression(
          space: facts.space.id, plane: layout.plane, elementType: layout.elementType, blockCount: facts.blockCount)
      }
      for key in try sample(facts, tier) {
        let header: FrameHeader?
        do throws(StoreError) {
          header = try tier.frameHeader(of: key)
        } catch  where error.code == .damaged {
          continue
        }
        for entry in header?.planes ?? [] {
          sums[entry.layout.plane]?.rawByteCount &+= entry.rawByteCount
          sums[entry.layout.plane]?.storedByteCount &+= entry.storedByteCount
          sums[entry.layout.plane]?.frameCount += 1
        }
      }
      result += sums.values.sorted {
        ($0.plane.layer, $0.plane.kind.rawValue) < ($1.plane.layer, $1.plane.kind.rawValue)
      }
    }
    return result
  }

  /// Hashes are as good as random: every n-th in their order is a fair sample.
  private static func sample(_ facts: SpaceFacts, _ tier: DiskTier) throws(StoreError) -> [BlockKey] {
    let step = max(1, (facts.blockCount + ReportOptions.frameSampleLimit - 1) / ReportOptions.frameSampleLimit)
    var keys: [BlockKey] = []
    var index = 0
    _ = try tier.scanBlocks(in: facts.space.id) { block in
      if index % step == 0, keys.count < ReportOptions.frameSampleLimit { keys.append(block.key) }
      index += 1
      return true
    }
    return keys
  }
}
