import KVPager
import KVSimulation
import PagedAttention
import Testing

/// The code of PagedAttention's guide, compiled and run (GuideTests).
@Suite struct GuideAttentionTests {
  private func openSpace(_ path: String) throws -> CacheSpace {
    let model = GuideModel()
    let planes = (0..<model.layerCount).flatMap { layer in
      [Plane(.keys, layer: layer), Plane(.values, layer: layer)].map {
        PlaneLayout($0, elementType: .f16, rowByteCount: model.rowByteCount)
      }
    }
    let layout = try BlockLayout(blockTokenCount: 16, planes: planes)
    return try Store(at: path).cacheSpace(for: ModelFingerprint(model: model.weightsDigest), layout: layout)
  }

  @Test func `sequences in flight go as their guide says`() throws {
    let folder = TemporaryFolder()
    let space = try openSpace(folder.store)
    let layout = space.layout
    let engine = GuideEngine(layout: layout)
    let prompt = tokens(0..<70)
    // <PagedAttention>
    let pool = SequencePool(space)
    let chat = try pool.start(from: space.longestPrefix(of: Array(prompt.dropLast())))

    let start = chat.tokenCount
    engine.compute(Array(prompt[start...]))
    try chat.append(Array(prompt[start...]))
    for plane in layout.planes.indices {
      chat.withUnsafeNewRows(ofPlane: plane) { positions, rows in
        engine.copyRows(ofPlane: plane, positions, into: rows)
      }
    }
    // </PagedAttention>
    #expect(start == 0 && chat.tokenCount == 70)
    // <PagedAttention>
    let shape = try AttentionShape(elementType: .f16, headSize: 16, queryHeadCount: 4, keyValueHeadCount: 2)
    let attention = try PagedAttention(shape, threadCount: 2)

    func rows(_ sequence: RunningSequence, layer: Int) -> PagedRows {
      PagedRows(
        blockTokenCount: layout.blockTokenCount, tokenCount: sequence.tokenCount,
        unsafeFrames: sequence.unsafeFrames,
        keysAt: layout.planeOffset(layout.index(of: Plane(.keys, layer: layer))!),
        valuesAt: layout.planeOffset(layout.index(of: Plane(.values, layer: layer))!))
    }
    // </PagedAttention>
    let (queryTokenCount, layer) = (3, 1)
    let queries = [Float](repeating: 0.5, count: queryTokenCount * shape.queryCount)
    var outputs = [Float](repeating: .nan, count: queries.count)
    var outputSpan = outputs.mutableSpan
    // <PagedAttention>
    attention.prefill(
      [rows(chat, layer: layer)], queryTokenCounts: [queryTokenCount], queries: queries.span, outputs: &outputSpan)
    // </PagedAttention>
    #expect(outputs.allSatisfy { !$0.isNaN })
    // <PagedAttention>
    var answers = [chat]
    for _ in 1..<4 { answers.append(try chat.fork()) }
    // </PagedAttention>
    #expect(pool.accounting.frameCount == 5 && pool.accounting.sharedTokenCount == 3 * 70)
    let batchQueries = [Float](repeating: 0.5, count: answers.count * shape.queryCount)
    var batch = [Float](repeating: .nan, count: batchQueries.count)
    var batchSpan = batch.mutableSpan
    // <PagedAttention>
    attention.decode(answers.map { rows($0, layer: layer) }, queries: batchQueries.span, outputs: &batchSpan)
    // </PagedAttention>
    #expect(batch[0..<shape.queryCount] == batch[3 * shape.queryCount..<4 * shape.queryCount])
    // <PagedAttention>
    let other = answers.removeLast()
    try other.preempt()  // its RAM is others' to use; the rows stay in the store
    try other.resume()  // loads what left RAM
    other.free()
    let accounting = pool.accounting
    // </PagedAttention>
    #expect(accounting.runningCount == 3 && accounting.wastedTokenCount == 5 * 16 - 70)
    for answer in answers { answer.free() }
    #expect(pool.accounting == SequenceAccounting())
  }

  @Test func `the guide shows the very code that is tested`() throws {
    let tested = try GuideText.code(markedAs: "PagedAttention", inFile: #filePath)
    let text = try GuideText.text("Sources/PagedAttention/PagedAttention.docc/PagedAttention.md")
    #expect(!tested.isEmpty)
    for code in tested { #expect(text.contains("```swift\n\(code)```"), "the guide lacks:\n\(code)") }
    #expect(text.split(separator: "```swift\n").count - 1 == tested.count)
  }
}
