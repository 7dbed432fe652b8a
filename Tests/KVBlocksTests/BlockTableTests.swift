import Testing

@testable import KVBlocks

@Suite struct BlockTableTests {
  func hash(_ number: Int32) -> BlockHash { ChainHash.hash(parent: ChainHash.root(seed: "0"), tokens: [number]) }

  @Test func `an empty table has nothing`() {
    let table = BlockTable(blockTokenCount: 4)
    #expect(table.blockCount == 0 && table.tokenCount == 0 && table.fullBlockCount == 0 && table.tailTokenCount == 0)
  }

  @Test func `a tail grows in its place until the block is full, then the next begins`() {
    var table = BlockTable(blockTokenCount: 4)
    table.replaceTail(with: hash(1), tokenCount: 3)
    #expect(table.hashes == [hash(1)] && table.tokenCount == 3 && table.tailTokenCount == 3)
    table.replaceTail(with: hash(2), tokenCount: 4)
    #expect(table.hashes == [hash(2)] && table.tokenCount == 4 && table.tailTokenCount == 0)
    table.replaceTail(with: hash(3), tokenCount: 4)
    table.replaceTail(with: hash(4), tokenCount: 1)
    #expect(table.hashes == [hash(2), hash(3), hash(4)])
    #expect(table.tokenCount == 9 && table.fullBlockCount == 2 && table.tailTokenCount == 1)
  }

  @Test func `each block holds its stretch of the sequence`() {
    let table = BlockTable(blockTokenCount: 4, hashes: [hash(1), hash(2), hash(3)], tokenCount: 10)
    #expect((0..<3).map(table.tokenRange) == [0..<4, 4..<8, 8..<10])
  }

  @Test func `keeping full blocks forgets the tail and what is behind`() {
    var table = BlockTable(blockTokenCount: 4, hashes: [hash(1), hash(2), hash(3)], tokenCount: 10)
    table.keepFullBlocks(2)
    #expect(table.hashes == [hash(1), hash(2)] && table.tokenCount == 8)
    table.keepFullBlocks(0)
    #expect(table == BlockTable(blockTokenCount: 4))
  }

  @Test func `blocks and tokens that disagree are a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      _ = BlockTable(blockTokenCount: 4, hashes: [ChainHash.root(seed: "0")], tokenCount: 5)
    }
    await #expect(processExitsWith: .failure) {
      var table = BlockTable(blockTokenCount: 4)
      table.replaceTail(with: ChainHash.root(seed: "0"), tokenCount: 5)
    }
    await #expect(processExitsWith: .failure) {
      var table = BlockTable(blockTokenCount: 4)
      table.keepFullBlocks(1)
    }
  }
}
