import KVBlocks
import Testing

@testable import KVInspection

@Suite struct `lists of blocks` {
  private static func list(_ store: InspectedStore, _ change: (inout BlockQuery) -> Void) throws -> [BlockList.Entry] {
    var query = BlockQuery()
    change(&query)
    let list = try StoreInspector(path: store.path).blocks(query)
    return (0..<list.count).map { list[$0] }
  }

  @Test func `each order is that of its figure, either way`() throws {
    let store = try InspectedStore()
    let figures: [(BlockQuery.Order, (BlockList.Entry) -> Int, Bool)] = [
      (.size, \.frameByteCount, false), (.age, { Int($0.lastUseMicroseconds) }, true),
      (.sharing, \.sessionCount, false),
      (.tokens, \.tokenCount, false),
    ]
    for (order, figure, isAscending) in figures {
      let all = try Self.list(store) { $0.order = order }
      #expect(all.count == 15)
      let sorted = all.map(figure).sorted { isAscending ? $0 < $1 : $0 > $1 }
      #expect(all.map(figure) == sorted, "\(order)")
      let top = try Self.list(store) { ($0.order, $0.limit) = (order, 4) }
      #expect(top == Array(all.prefix(4)), "\(order)")
      let reversed = try Self.list(store) { ($0.order, $0.isReversed) = (order, true) }
      #expect(reversed.map(figure) == sorted.reversed(), "\(order)")
    }
  }

  @Test func `filters leave what they name`() throws {
    let store = try InspectedStore()
    let session = try StoreInspector(path: store.path).session(named: "chat 2")
    #expect(try Self.list(store) { $0.leastSessionCount = 3 }.count == 6)
    #expect(try Self.list(store) { $0.leastSessionCount = 4 }.isEmpty)
    #expect(try Self.list(store) { $0.isUnreferenced = true }.isEmpty)
    let own = try Self.list(store) { $0.session = "chat 2" }
    #expect(Set(own.map(\.key.hash)) == Set(session.blocks.map(\.hash)))
    #expect(
      own.sorted { ($0.tokenOffset ?? 0) < ($1.tokenOffset ?? 0) }.map(\.tokenOffset)
        == session.blocks.map(\.tokenOffset))
    let hash = session.blocks[4].hash
    let prefix = try #require(HashPrefix(String(hash.description.prefix(9)).uppercased()))
    #expect(try Self.list(store) { $0.prefix = prefix }.map(\.key.hash) == [hash])
    let sizes = try Self.list(store) { _ in }.map(\.frameByteCount)
    let middle = sizes.sorted()[7]
    #expect(try Self.list(store) { $0.leastFrameByteCount = middle }.count == sizes.count { $0 >= middle })
    // The fixture's uses are 1000 less the block's place in tokens.
    #expect(try Self.list(store) { $0.unusedSinceMicroseconds = 1000 - 96 }.count == 9)
  }
}
