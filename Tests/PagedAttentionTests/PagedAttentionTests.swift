import CKernels
import Foundation
import KVBlocks
import KVSimulation
import Testing

@testable import PagedAttention

/// A drawn case: shape, lengths, block size.
private struct Drawn {
  let shape: AttentionShape
  let tokenCounts: [Int]
  let blockTokenCount: Int
  let sharedTokenCount: Int

  init(_ random: inout SplitMix64, sequences: ClosedRange<Int> = 1...4, tokenLimit: Int = 700) throws {
    func draw(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
    let types: [ElementType] = [.f32, .f16, .bf16]
    let heads = [1, 2, 3][draw(3)]
    shape = try AttentionShape(
      elementType: types[draw(3)], headSize: [16, 32, 48, 64, 80, 96, 128, 256][draw(8)],
      queryHeadCount: heads * [1, 2, 3, 4, 5, 7, 8][draw(7)], keyValueHeadCount: heads,
      window: draw(3) == 0 ? 1 + draw(300) : nil)
    tokenCounts = (0..<sequences.lowerBound + draw(sequences.count)).map { _ in 1 + draw(tokenLimit) }
    blockTokenCount = [1, 2, 3, 8, 16, 20, 64, 256][draw(8)]
    sharedTokenCount = draw(2) == 0 ? 0 : draw((tokenCounts.min() ?? 1) + 1)
  }
}

private func queries(_ count: Int, _ random: inout SplitMix64) -> [Float] {
  (0..<count).map { _ in ScatteredRows.value(&random) }
}

/// The reference reads the same rows: what f16 and bf16 cannot say is lost to both.
private let limit = 1e-5

private let levels = (Int32(KV_LEVEL_PORTABLE)...kv_best_level()).map { $0 }

extension PagedAttention {
  fileprivate func decoded(_ rows: [PagedRows], _ queries: [Float]) -> [Float] {
    var outputs = [Float](repeating: .nan, count: queries.count)
    var span = outputs.mutableSpan
    decode(rows, queries: queries.span, outputs: &span)
    return outputs
  }

  fileprivate func prefilled(_ rows: [PagedRows], _ counts: [Int], _ queries: [Float]) -> [Float] {
    var outputs = [Float](repeating: .nan, count: queries.count)
    var span = outputs.mutableSpan
    prefill(rows, queryTokenCounts: counts, queries: queries.span, outputs: &span)
    return outputs
  }
}

@Suite struct PagedAttentionTests {
  private static let count = ProcessInfo.processInfo.environment["KVPAGER_LONG"] == nil ? 6 : 400

  @Test(arguments: levels)
  func `decode agrees with double precision over random shapes, tables, windows and batches`(level: Int32) throws {
    for seed in 0..<Self.count {
      var random = SplitMix64(seed: UInt64(seed))
      let drawn = try Drawn(&random)
      let rows = ScatteredRows(
        drawn.shape, tokenCounts: drawn.tokenCounts, blockTokenCount: drawn.blockTokenCount,
        sharedTokenCount: drawn.sharedTokenCount, random: &random)
      let shape = drawn.shape
      let queries = queries(rows.scattered.count * shape.queryCount, &random)
      let attention = try PagedAttention(shape, threadCount: 1 + seed % 3, level: level)
      let outputs = attention.decoded(rows.scattered, queries)
      for (index, sequence) in rows.scattered.enumerated() {
        let part = index * shape.queryCount..<(index + 1) * shape.queryCount
        let error = AttentionReference.error(
          of: outputs[part], queries: queries[part], sequence, shape,
          positions: sequence.tokenCount - 1..<sequence.tokenCount)
        #expect(error < limit, "seed \(seed), level \(level), \(drawn)")
      }
    }
  }

  @Test(arguments: levels)
  func `prefill agrees with double precision over random shapes, tables, windows and batches`(level: Int32) throws {
    for seed in 0..<Self.count {
      var random = SplitMix64(seed: UInt64(1000 + seed))
      // Some go on past the first segment.
      let isLong = seed % 3 == 2
      let drawn = try Drawn(&random, sequences: 1...2, tokenLimit: isLong ? 1400 : 260)
      let shape = drawn.shape
      let rows = ScatteredRows(
        shape, tokenCounts: drawn.tokenCounts, blockTokenCount: drawn.blockTokenCount, random: &random)
      let counts = drawn.tokenCounts.map { min($0, 1 + Int(random.next() % (isLong ? 8 : 40))) }
      let queries = queries(counts.reduce(0, +) * shape.queryCount, &random)
      let attention = try PagedAttention(shape, threadCount: 1 + seed % 3, level: level)
      let outputs = attention.prefilled(rows.scattered, counts, queries)
      var first = 0
      for (sequence, count) in zip(rows.scattered, counts) {
        let part = first * shape.queryCount..<(first + count) * shape.queryCount
        let error = AttentionReference.error(
          of: outputs[part], queries: queries[part], sequence, shape,
          positions: sequence.tokenCount - count..<sequence.tokenCount)
        #expect(error < limit, "seed \(seed), level \(level), \(drawn), counts \(counts)")
        first += count
      }
    }
  }

  @Test(arguments: levels)
  func `where blocks lie, how large they are and how many threads there are changes no bit`(level: Int32) throws {
    for (seed, blockTokenCount) in [1, 8, 16, 32, 64, 128, 256].enumerated() {
      var random = SplitMix64(seed: UInt64(seed))
      let shape = try AttentionShape(
        elementType: [.f16, .bf16, .f32][seed % 3], headSize: 64, queryHeadCount: 6, keyValueHeadCount: 2,
        window: seed == 3 ? 700 : nil)
      let rows = ScatteredRows(
        shape, tokenCounts: [1500, 333], blockTokenCount: blockTokenCount, sharedTokenCount: 300, random: &random)
      let queries = queries(2 * shape.queryCount, &random)
      let wanted = try PagedAttention(shape, threadCount: 1, level: level).decoded(rows.contiguous, queries)
      for threadCount in 1...3 {
        let attention = try PagedAttention(shape, threadCount: threadCount, level: level)
        #expect(attention.decoded(rows.scattered, queries).map(\.bitPattern) == wanted.map(\.bitPattern))
      }
      let counts = [20, 5]
      let many = Self.repeated(queries, to: 25 * shape.queryCount)
      let attention = try PagedAttention(shape, threadCount: 2, level: level)
      #expect(
        attention.prefilled(rows.scattered, counts, many).map(\.bitPattern)
          == attention.prefilled(rows.contiguous, counts, many).map(\.bitPattern))
    }
  }

  private static func repeated(_ queries: [Float], to count: Int) -> [Float] {
    (0..<count).map { queries[$0 % queries.count] }
  }

  @Test func `a sequence's output does not depend on its company, and shared blocks are passed once`() throws {
    var random = SplitMix64(seed: 7)
    let shape = try AttentionShape(elementType: .f16, headSize: 32, queryHeadCount: 4, keyValueHeadCount: 2)
    let rows = ScatteredRows(
      shape, tokenCounts: [1600, 1601, 2000, 1024], blockTokenCount: 16, sharedTokenCount: 1024, random: &random)
    let queries = queries(4 * shape.queryCount, &random)
    let attention = try PagedAttention(shape, threadCount: 2)
    let together = attention.decoded(rows.scattered, queries)
    for index in 0..<4 {
      let part = index * shape.queryCount..<(index + 1) * shape.queryCount
      #expect(attention.decoded([rows.scattered[index]], Array(queries[part])) == Array(together[part]))
    }
    let plan = DecodePlan(rows.scattered, shape, threadCount: 2)
    // Tokens 0 to 1,023 lie in the same blocks: two segments that all four pass over together.
    #expect(plan.items.map(\.members.count) == [4, 4, 1, 1, 1, 1, 1, 1])
    let apart = DecodePlan(rows.contiguous, shape, threadCount: 2)
    #expect(apart.items.allSatisfy { $0.members.count == 1 })
  }

  @Test func `what many sequences share is work for all threads`() throws {
    var random = SplitMix64(seed: 8)
    let shape = try AttentionShape(elementType: .f16, headSize: 16, queryHeadCount: 2, keyValueHeadCount: 2)
    let rows = ScatteredRows(
      shape, tokenCounts: Array(repeating: 512, count: 20), blockTokenCount: 16, sharedTokenCount: 512, random: &random)
    #expect(DecodePlan(rows.scattered, shape, threadCount: 1).items.map(\.members.count) == [20])
    let plan = DecodePlan(rows.scattered, shape, threadCount: 3)
    #expect(plan.items.map(\.members.count) == [7, 7, 6])
    #expect(plan.items.flatMap { $0.members.map(\.sequence) }.sorted() == Array(0..<20))
    let queries = queries(20 * shape.queryCount, &random)
    let alone = try PagedAttention(shape, threadCount: 1).decoded(rows.scattered, queries)
    #expect(try PagedAttention(shape, threadCount: 3).decoded(rows.scattered, queries) == alone)
  }

  @Test func `a prompt's last token has the same output as prefill's last query and as decode's`() throws {
    var random = SplitMix64(seed: 9)
    let shape = try AttentionShape(elementType: .bf16, headSize: 64, queryHeadCount: 8, keyValueHeadCount: 2)
    let rows = ScatteredRows(shape, tokenCounts: [200], blockTokenCount: 16, random: &random)
    let queries = queries(200 * shape.queryCount, &random)
    let attention = try PagedAttention(shape, threadCount: 2)
    let all = attention.prefilled(rows.scattered, [200], queries)
    let last = attention.decoded(rows.scattered, Array(queries.suffix(shape.queryCount)))
    for (a, b) in zip(all.suffix(shape.queryCount), last) { #expect(abs(a - b) < 1e-5) }
  }

  @Test(arguments: levels)
  func `a value that is no number reaches the queries that see it alone`(level: Int32) throws {
    for wrong in [Float16.nan, .infinity] {
      var random = SplitMix64(seed: 11)
      let shape = try AttentionShape(
        elementType: .f16, headSize: 16, queryHeadCount: 4, keyValueHeadCount: 2, window: 20)
      let rows = ScatteredRows(shape, tokenCounts: [45, 45], blockTokenCount: 8, random: &random)
      let queries = queries(2 * 45 * shape.queryCount, &random)
      let attention = try PagedAttention(shape, threadCount: 2, level: level)
      let prefilled = attention.prefilled(rows.scattered, [45, 45], queries)
      let last = Array(queries.prefix(2 * shape.queryCount))
      let decoded = attention.decoded(rows.scattered, last)
      func plant(_ token: Int, _ value: Float16) {
        let frame = UnsafeMutableRawPointer(mutating: rows.scattered[0].frames[token / 8])
        // The value of element 0 of head 1.
        frame.storeBytes(of: value, toByteOffset: token % 8 * shape.rowByteCount + 2 * 16, as: Float16.self)
      }
      // Elements of the output whose query sees token 30, and of those only the first of the heads that head 1 serves.
      func sees(_ index: Int, _ positions: Range<Int>) -> Bool {
        let (token, element) = (index / shape.queryCount, index % shape.queryCount)
        return token < positions.count && (30..<50).contains(positions[positions.startIndex + token])
          && (element == 2 * 16 || element == 3 * 16)
      }
      plant(30, wrong)
      let all = attention.prefilled(rows.scattered, [45, 45], queries)
      for index in all.indices {
        #expect(sees(index, 0..<45) ? !all[index].isFinite : all[index] == prefilled[index], "\(wrong), \(index)")
      }
      let some = attention.decoded(rows.scattered, last)
      for index in some.indices {
        #expect(sees(index, 44..<45) ? !some[index].isFinite : some[index] == decoded[index], "\(wrong), \(index)")
      }
      if wrong == .infinity { #expect(some[2 * 16] == .infinity && all[44 * shape.queryCount + 2 * 16] == .infinity) }
    }
  }

  @Test(arguments: levels)
  func `keys at minus infinity weigh nothing, also where a part has no others`(level: Int32) throws {
    var random = SplitMix64(seed: 12)
    let shape = try AttentionShape(elementType: .f32, headSize: 32, queryHeadCount: 2, keyValueHeadCount: 1)
    let rows = ScatteredRows(shape, tokenCounts: [1100], blockTokenCount: 16, random: &random)
    let sequence = rows.scattered[0]
    for token in 0..<600 {
      let key = UnsafeMutableRawPointer(mutating: sequence.frames[token / 16]) + sequence.keyOffset
      key.storeBytes(of: -.infinity, toByteOffset: token % 16 * shape.rowByteCount, as: Float.self)
    }
    let queries = queries(shape.queryCount, &random).map { abs($0) + 0.01 }
    let attention = try PagedAttention(shape, threadCount: 2, level: level)
    for outputs in [attention.decoded([sequence], queries), attention.prefilled([sequence], [1], queries)] {
      #expect(outputs.allSatisfy { $0.isFinite })
      let error = AttentionReference.error(
        of: outputs[...], queries: queries[...], sequence, shape, positions: 1099..<1100)
      #expect(error < limit)
    }
  }

  @Test(arguments: levels, [ElementType.f16, .bf16])
  func `each of the 65,536 values of a type becomes what it says`(level: Int32, type: ElementType) throws {
    let shape = try AttentionShape(elementType: type, headSize: 16, queryHeadCount: 1, keyValueHeadCount: 1)
    // Keys of zeros, then the values: one token alone has all the weight.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 32 + 2 * 65536, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 32)
    for bits in 0..<65536 { memory.storeBytes(of: UInt16(bits), toByteOffset: 32 + 2 * bits, as: UInt16.self) }
    let rows = (0..<4096).map {
      PagedRows(
        blockTokenCount: 1, tokenCount: 1, unsafeFrames: [UnsafeRawPointer(memory)], keysAt: 0, valuesAt: 32 + 32 * $0)
    }
    let queries = [Float](repeating: 1, count: 65536)
    let attention = try PagedAttention(shape, threadCount: 2, level: level)
    let decoded = attention.decoded(rows, queries)
    let prefilled = attention.prefilled(rows, Array(repeating: 1, count: 4096), queries)
    for bits in 0..<65536 {
      let value = Float(AttentionReference.element(memory + 32, bits, type))
      #expect(decoded[bits] == value || decoded[bits].isNaN && value.isNaN, "\(bits)")
      #expect(prefilled[bits] == value || prefilled[bits].isNaN && value.isNaN, "\(bits)")
    }
  }

  @Test(arguments: [
    (ElementType.q8_0, 64, 8, 2, nil as Int?), (.f16, 24, 8, 2, nil), (.f16, 0, 8, 2, nil), (.f16, 64, 7, 2, nil),
    (.f16, 64, 8, 0, nil), (.f16, 64, 130, 2, nil), (.f16, 64, 8, 2, 0),
  ])
  func `a shape that cannot be is refused`(type: ElementType, size: Int, heads: Int, kvHeads: Int, window: Int?) {
    #expect(throws: StoreError.self) {
      try AttentionShape(
        elementType: type, headSize: size, queryHeadCount: heads, keyValueHeadCount: kvHeads, window: window)
    }
  }

  @Test func `a table without all its blocks is a programmer's error`() async {
    await #expect(processExitsWith: .failure) {
      let byte = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
      _ = PagedRows(
        blockTokenCount: 16, tokenCount: 17, unsafeFrames: [UnsafeRawPointer(byte)], keysAt: 0, valuesAt: 0)
    }
  }
}

@Suite struct WorkTeamTests {
  @Test func `each item is worked off once, however many members and items there are`() throws {
    for (memberCount, itemCount) in [(1, 5), (2, 1), (3, 2), (4, 1000), (7, 6)] {
      let team = try WorkTeam(memberCount: memberCount)
      for _ in 0..<20 {
        let counts = Lock([Int](repeating: 0, count: itemCount))
        team.run(itemCount: itemCount) { item in counts.withLock { $0[item] += 1 } }
        #expect(counts.withLock { $0 } == [Int](repeating: 1, count: itemCount))
      }
      team.run(itemCount: 0) { _ in Issue.record("there is nothing to do") }
    }
  }
}
