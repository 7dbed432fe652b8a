import Foundation
import KVBlocks

@testable import KVDiskTier

/// A store with sessions in it, made by the disk tier itself and closed.
final class InspectedStore {
  let path: String
  let space: SpaceRecord

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-inspect-\(UUID().uuidString)").path
    let planes = (0..<2).flatMap { layer in
      [Plane.Kind.keys, .values].map { kind in
        PlaneLayout(Plane(kind, layer: layer), elementType: .bf16, rowByteCount: 512)
      }
    }
    let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
    let tier = try DiskTier(path: path)
    defer { tier.close() }
    space = try tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "tiny"), layout: layout)
    // 6 full blocks shared, then 2 full ones of each session's own and a tail.
    for index in 0..<3 {
      let tokens = (0..<96).map(Token.init) + (0..<36).map { Token(1_000 * (index + 1) + $0) }
      try store(tokens, named: "chat \(index)", in: tier, checkpoint: index == 0)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var dataPath: String { path + "/data.mdb" }

  private func store(_ tokens: [Token], named name: String, in tier: DiskTier, checkpoint: Bool) throws {
    var batch = ColdBatch()
    var parent = space.root
    var hashes: [BlockHash] = []
    for start in stride(from: 0, to: tokens.count, by: 16) {
      let part = Array(tokens[start..<min(start + 16, tokens.count)])
      let descriptor = BlockDescriptor(space: space.id, parent: parent, tokens: part)
      parent = descriptor.key.hash
      hashes.append(parent)
      var numbers = parent.bytes[0]
      let rows = (0..<space.layout.frameByteCount).map { _ -> UInt8 in
        numbers = numbers &* 13 &+ 7
        return numbers
      }
      let frame = try rows.withUnsafeBytes { try tier.encode(descriptor, layout: space.layout, frame: $0) }
      batch.writes.append(ColdBatch.Write(frame: frame, lastUse: UInt64(1_000 - start)))
    }
    let record = SessionRecord(
      space: space.id, name: name, tokens: tokens, blocks: hashes, metadata: ["title": "a \"quoted\" title"])
    batch.operations = [
      .put(record, checkpoint: checkpoint ? .replace([1, 2, 3]) : .keep, condition: .absent)
    ]
    _ = try tier.commit(batch, isProtected: { _ in false })
  }

  /// Changes the file's bytes behind everyone's back.
  func damage(_ change: (inout [UInt8]) -> Void) throws {
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: dataPath)))
    change(&bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: dataPath))
  }

  /// The pages of the file at whose beginning an extent lies.
  static func extentPages(_ bytes: [UInt8]) -> [Int] {
    stride(from: 0, to: bytes.count - 64, by: 4096).filter { Array(bytes[$0 + 16..<$0 + 20]) == Array("KVEX".utf8) }
  }
}
