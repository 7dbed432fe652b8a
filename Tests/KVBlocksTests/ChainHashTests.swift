import Testing

@testable import KVBlocks

@Suite struct ChainHashTests {
  let vectors: HashVectors

  init() throws { vectors = try HashVectors.read() }

  @Test func `a root is the hash of its seed`() {
    #expect(vectors.roots.count == 4)
    for root in vectors.roots {
      #expect(ChainHash.root(seed: root.seed).description == root.hash, "seed \(root.seed)")
    }
    #expect(vectors.roots[0].seed == ChainHash.vllmDefaultSeed)
  }

  @Test func `every block of every chain has the hash that an independent implementation gives it`() throws {
    #expect(vectors.chains.count == 13)
    for (number, chain) in vectors.chains.enumerated() {
      #expect(chain.hashes.count == chain.tokens.count / chain.blockTokenCount)
      var parent = ChainHash.root(seed: chain.seed)
      for (index, expected) in chain.hashes.enumerated() {
        let start = index * chain.blockTokenCount
        let tokens = chain.tokens[start..<start + chain.blockTokenCount]
        parent = ChainHash.hash(parent: parent, tokens: tokens, extra: chain.extra(ofBlock: index))
        try #require(parent.description == expected, "chain \(number), block \(index)")
      }
    }
  }

  @Test func `a whole sequence's hashes are those of its full blocks`() {
    for chain in vectors.chains where chain.extras.isEmpty {
      let hashes = ChainHash.hashes(
        ofFullBlocksIn: chain.tokens, blockTokenCount: chain.blockTokenCount, root: ChainHash.root(seed: chain.seed))
      #expect(hashes.map(\.description) == chain.hashes)
    }
  }

  @Test func `a rest shorter than a block has no hash`() {
    let root = ChainHash.root(seed: "0")
    #expect(ChainHash.hashes(ofFullBlocksIn: [], blockTokenCount: 4, root: root).isEmpty)
    #expect(ChainHash.hashes(ofFullBlocksIn: [1, 2, 3], blockTokenCount: 4, root: root).isEmpty)
    #expect(ChainHash.hashes(ofFullBlocksIn: [1, 2, 3, 4, 5], blockTokenCount: 4, root: root).count == 1)
  }

  @Test func `a hash depends on the parent, on each token and their order, and on each extra key`() {
    let root = ChainHash.root(seed: "0")
    let variants: [BlockHash] = [
      ChainHash.hash(parent: root, tokens: [1, 2, 3]),
      ChainHash.hash(parent: ChainHash.root(seed: "1"), tokens: [1, 2, 3]),
      ChainHash.hash(parent: root, tokens: [1, 3, 2]),
      ChainHash.hash(parent: root, tokens: [1, 2]),
      ChainHash.hash(parent: root, tokens: [1, 2, -3]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.lora(name: "a")]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.cacheSalt("a")]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.multimodal(identifier: "a", offset: 0)]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.multimodal(identifier: "a", offset: 1)]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.variant(digest: "a")]),
      ChainHash.hash(parent: root, tokens: [1, 2, 3], extra: [.lora(name: "a"), .cacheSalt("a")]),
    ]
    #expect(Set(variants).count == variants.count)
  }

  @Test func `a descriptor computes the hash of its own parts`() {
    let root = ChainHash.root(seed: "0")
    let descriptor = BlockDescriptor(
      space: SpaceID(rawValue: 7), parent: root, tokens: [5, 6], extra: [.cacheSalt("s")])
    #expect(descriptor.key.space == SpaceID(rawValue: 7))
    #expect(descriptor.key.hash == ChainHash.hash(parent: root, tokens: [5, 6], extra: [.cacheSalt("s")]))
    #expect(BlockDescriptor(space: SpaceID(rawValue: 0), parent: root, tokens: [5]).encodedExtra == [0xf6])
  }
}

@Suite struct BlockHashTests {
  let hash = ChainHash.root(seed: "0")

  @Test func `a hash survives its hexadecimal and its bytes`() {
    #expect(BlockHash(hex: hash.description) == hash)
    #expect(BlockHash(hex: hash.description.uppercased()) == hash)
    #expect(BlockHash(bytes: hash.bytes) == hash)
    #expect(hash.bytes.count == BlockHash.byteCount)
    #expect(hash.shortDescription == hash.description.prefix(12))
  }

  @Test func `text that is not 64 hexadecimal digits is no hash`() {
    for text in [
      "", "00", String(repeating: "g", count: 64), String(repeating: "0", count: 63), hash.description + "00",
    ] {
      #expect(BlockHash(hex: text) == nil)
    }
  }

  @Test func `hashes differ where any byte differs`() {
    for index in 0..<BlockHash.byteCount {
      var bytes = hash.bytes
      bytes[index] ^= 1
      #expect(BlockHash(bytes: bytes) != hash, "byte \(index)")
    }
  }

  @Test func `bytes of another count are a programmer's error`() async {
    await #expect(processExitsWith: .failure) { _ = BlockHash(bytes: [UInt8](repeating: 0, count: 31)) }
  }
}
