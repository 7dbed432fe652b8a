import Foundation
import KVBlocks
import SafeLMDB
import Testing

@testable import KVDiskTier
@testable import KVInspection

@Suite struct `the prefix tree` {
  @Test func `a shared beginning is one node, and each session's own rest another`() throws {
    let store = try InspectedStore()
    let tree = try StoreInspector(path: store.path).tree()
    #expect(tree.spaces.count == 1 && tree.amount.blockCount == 15 && tree.sessionCount == 3)
    let shared = try #require(tree.spaces[0].children.first)
    #expect(tree.spaces[0].children.count == 1 && tree.spaces[0].other == nil)
    #expect(shared.own.blockCount == 6 && shared.own.tokenCount == 96 && shared.sessionCount == 3)
    #expect(shared.subtree == tree.amount && shared.share == 1 && shared.endingSessionCount == 0)
    #expect(shared.children.map(\.own.blockCount) == [3, 3, 3])
    #expect(shared.children.map(\.tokenOffset) == [96, 96, 96])
    #expect(Set(shared.children.flatMap(\.endingSessions)) == ["chat 0", "chat 1", "chat 2"])
    var byteCount = shared.own.frameByteCount
    for child in shared.children { byteCount += child.subtree.frameByteCount }
    #expect(byteCount == tree.amount.frameByteCount)
  }

  @Test func `what limits leave out is summed up, nothing is lost`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    for options in [
      TreeOptions(depth: 1), TreeOptions(width: 1), TreeOptions(width: 2), TreeOptions(nodeLimit: 2),
      TreeOptions(nodeLimit: 1), TreeOptions(session: "chat 1"),
    ] {
      let tree = try inspector.tree(options)
      let node = try #require(tree.spaces[0].children.first)
      let shown = node.children.reduce(0) { $0 + $1.subtree.blockCount }
      #expect(node.own.blockCount + shown + (node.other?.amount.blockCount ?? 0) == 15)
      #expect(node.children.count + (node.other?.childCount ?? 0) == 3)
      #expect(node.children.count + (node.other?.sessionCount ?? 0) == 3)
    }
    #expect(
      try inspector.tree(TreeOptions(session: "chat 1")).spaces[0].children[0].children.map(\.endingSessions) == [
        ["chat 1"]
      ])
    #expect(throws: StoreError.self) { try inspector.tree(TreeOptions(depth: 0)) }
    #expect(throws: StoreError.self) { try inspector.tree(TreeOptions(depth: TreeOptions.depthLimit + 1)) }
  }

  /// With a large fold the shared beginning and the largest rest would be one: no byte, block or session may get lost.
  @Test func `small branches are folded into the run that goes on, and counted`() throws {
    let store = try InspectedStore()
    let inspector = StoreInspector(path: store.path)
    let exact = try inspector.tree().spaces[0].children[0]
    let shares = exact.children.map(\.share)
    // Above the second largest rest and not above the largest: the frames differ by a few bytes.
    let fold = shares[0] > shares[1] ? shares[0] : 1
    let folded = try inspector.tree(TreeOptions(foldShare: fold)).spaces[0].children[0]
    if shares[0] > shares[1] {
      #expect(folded.own.blockCount == 9 && folded.folded?.childCount == 2 && folded.folded?.amount.blockCount == 6)
      #expect(folded.sessionCount == 3 && folded.lastSessionCount == 1 && folded.endingSessionCount == 1)
      #expect(folded.children.isEmpty && folded.other == nil)
    }
    // Where all branches are small the largest are shown all the same.
    let none = try inspector.tree(TreeOptions(width: 2, foldShare: 0.9)).spaces[0].children[0]
    #expect(none.own == exact.own && none.folded == nil)
    #expect(none.children.count == 2 && none.other?.childCount == 1)
    // The path of one session stays, however small.
    let path = try inspector.tree(TreeOptions(foldShare: 0.9, session: "chat 1")).spaces[0].children[0]
    #expect(path.own.blockCount == 9 && path.endingSessions == ["chat 1"] && path.folded?.childCount == 2)
  }

  @Test func `blocks whose chain is broken are shown as stray, counted once`() throws {
    let store = try InspectedStore()
    let victim = try StoreInspector(path: store.path).session(named: "chat 1").blocks[6].hash
    do {
      let tier = try DiskTier(path: store.path, options: DiskTierOptions(access: .readWrite))
      defer { tier.close() }
      try tier.environment.write { (transaction: inout WriteTransaction) throws(StoreError) in
        _ = try transaction.remove(
          Array(Keys.space(store.space.id)) + victim.bytes, in: tier.tables.blocks)
      }
    }
    let tree = try StoreInspector(path: store.path).tree()
    #expect(tree.amount.blockCount == 14 && tree.strayBlockCount == 2 && tree.isOneSnapshot)
    let stray = try #require(tree.spaces[0].children.first { $0.isStray })
    #expect(stray.own.blockCount == 2 && stray.endingSessions == ["chat 1"])
    #expect(tree.spaces[0].children.filter { !$0.isStray }.count == 1)
    let rest = try #require(HashPrefix(stray.last.description))
    let block = try StoreInspector(path: store.path).block(rest)
    #expect(block.chainFailure?.contains(victim.description) == true && !block.isSound && block.chain.count == 1)
    #expect(try StoreInspector(path: store.path).blocks(BlockQuery()).count == 14)
  }

  @Test func `text is made of a node's first tokens`() throws {
    let store = try InspectedStore()
    let tree = try StoreInspector(path: store.path).tree(
      TreeOptions(textTokenLimit: 20, text: { $0.map(\.description).joined(separator: " ") }))
    let shared = tree.spaces[0].children[0]
    #expect(shared.text == (0..<20).map(\.description).joined(separator: " "))
    let own = try #require(shared.children.first { $0.endingSessions == ["chat 1"] })
    #expect(own.text == (2000..<2020).map(\.description).joined(separator: " "))
  }

  /// A chain as deep as blocks go, of which every one has a neighbour: no answer may nest or recurse so deep.
  @Test func `a tree of thousands of levels is told as far as its limits go`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kvpager-deep-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let plane = PlaneLayout(Plane(.keys, layer: 0), elementType: .i8, rowByteCount: 1)
    let layout = try BlockLayout(blockTokenCount: 1, planes: [plane])
    let levels = 20_000
    do {
      let tier = try DiskTier(path: path)
      defer { tier.close() }
      let space = try tier.findOrCreateSpace(fingerprint: ModelFingerprint(model: "deep"), layout: layout)
      let rows = [UInt8](repeating: 1, count: layout.frameByteCount)
      var batch = ColdBatch()
      var parent = space.root
      for level in 0..<levels {
        var next = parent
        for token in [Token(level + levels), Token(level)] where token == Token(level) || level % 2 == 0 {
          let descriptor = BlockDescriptor(space: space.id, parent: parent, tokens: [token])
          let frame = try rows.withUnsafeBytes { try tier.encode(descriptor, layout: layout, frame: $0) }
          batch.writes.append(ColdBatch.Write(frame: frame, lastUse: UInt64(levels - level)))
          next = descriptor.key.hash
        }
        parent = next
      }
      _ = try tier.commit(batch, isProtected: { _ in false })
    }
    let inspector = StoreInspector(path: path)
    let tree = try inspector.tree(TreeOptions(depth: TreeOptions.depthLimit))
    #expect(tree.amount.blockCount == levels * 3 / 2 && tree.strayBlockCount == 0)
    var (depth, node) = (0, tree.spaces[0].children.first)
    while let next = node {
      depth += 1
      node = next.children.first
    }
    #expect(depth == TreeOptions.depthLimit)
    #expect(tree.json.text().utf8.count > 10_000)
    let deepest = try #require(HashPrefix(try inspector.blocks(Self.deepestFirst)[0].key.hash.description))
    #expect(try inspector.block(deepest).tokenOffset == levels - 1)
  }

  private static var deepestFirst: BlockQuery {
    var query = BlockQuery()
    (query.order, query.limit) = (.age, 1)
    return query
  }
}
