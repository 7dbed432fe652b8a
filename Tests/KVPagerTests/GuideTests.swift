import Foundation
import KVInterchange
import KVPager
import KVSimulation
import Testing

/// The guides' code, compiled and run. What stands between `// <guide>` and `// </guide>` stands in that guide word for
/// word.
@Suite struct GuideTests {
  typealias Engine = GuideEngine
  typealias Model = GuideModel

  struct PrefixShrank: Error {}

  // <ResumeAChat>
  func hand(_ rows: borrowing RowWriter, from engine: Engine, start: Int) {
    let positions = start + rows.tokens.lowerBound..<start + rows.tokens.upperBound
    for plane in rows.layout.planes.indices {
      rows.withUnsafeRows(ofPlane: plane) { engine.copyRows(ofPlane: plane, positions, into: $0) }
    }
  }
  // </ResumeAChat>

  private func openSpace(_ path: String) throws -> CacheSpace {
    let model = Model()
    // <ResumeAChat>
    let planes = [Plane.Kind.keys, .values].flatMap { kind in
      (0..<model.layerCount).map { layer in
        PlaneLayout(Plane(kind, layer: layer), elementType: .f16, rowByteCount: model.rowByteCount)
      }
    }
    let layout = try BlockLayout(blockTokenCount: 64, planes: planes)
    let fingerprint = ModelFingerprint(model: model.weightsDigest, settings: ["rope_scaling": "none"])

    let store = try Store(at: path)
    let space = try store.cacheSpace(for: fingerprint, layout: layout)
    // </ResumeAChat>
    return space
  }

  private func storeMonday(_ space: CacheSpace, _ engine: Engine, prompt: [Token]) throws {
    // <ResumeAChat>
    let chat = try space.createSession(named: "monday")
    engine.compute(prompt)
    try chat.append(prompt) { rows in hand(rows, from: engine, start: 0) }
    chat.metadata["title"] = "Tools of the trade"
    try chat.commit()
    // </ResumeAChat>
  }

  @Test func `resuming a chat goes as its guide says`() throws {
    let folder = TemporaryFolder()
    let (prompt, turn, otherTurn) = (tokens(0..<150), tokens(500..<560), tokens(700..<710))
    let first = try openSpace(folder.store)
    try storeMonday(first, Engine(layout: first.layout), prompt: prompt)
    try first.store.close()

    let store = try openSpace(folder.store).store
    let engine = Engine(layout: first.layout)
    engine.tokens = prompt
    // <ResumeAChat>
    let chat = try store.session(named: "monday")
    for plane in chat.space.layout.planes.indices {
      try chat.gather(plane: plane, into: engine.memory(ofPlane: plane, rowCount: chat.tokenCount))
    }
    engine.position = chat.tokenCount
    // </ResumeAChat>
    #expect(engine.took(prompt))
    #expect(chat.metadata["title"] == "Tools of the trade")
    // <ResumeAChat>
    let start = chat.tokenCount
    engine.compute(turn)
    try chat.append(turn) { rows in hand(rows, from: engine, start: start) }
    try chat.commit()
    // </ResumeAChat>
    // <ResumeAChat>
    let branch = try chat.fork(named: "monday, other answer", tokenCount: start)
    engine.position = start
    engine.compute(otherTurn)
    try branch.append(otherTurn) { rows in hand(rows, from: engine, start: start) }
    try branch.commit()
    // </ResumeAChat>
    #expect(chat.tokens == prompt + turn)
    #expect(branch.tokens == prompt + otherTurn)
    // <ResumeAChat>
    chat.setCheckpoint(engine.recurrentState)
    try chat.commit()
    // </ResumeAChat>
    #expect(try chat.checkpoint() == [1, 2, 3])

    let deadline = Date(timeIntervalSince1970: 1_000_000_000)
    // <ResumeAChat>
    chat.expiresMicroseconds = UInt64(deadline.timeIntervalSince1970 * 1_000_000)
    try chat.commit()
    let report = try store.collectGarbage()
    try store.deleteSession(named: "monday, other answer")
    // </ResumeAChat>
    #expect(report.expiredSessionCount == 1)
    #expect(try store.sessions().isEmpty)
  }

  @Test func `two who change one session are told as the guide says`() throws {
    let folder = TemporaryFolder()
    let space = try openSpace(folder.store)
    try storeMonday(space, Engine(layout: space.layout), prompt: tokens(0..<100))
    let chat = try space.session(named: "monday")
    try space.session(named: "monday").commit()
    // <ResumeAChat>
    do {
      try chat.commit()
    } catch {
      guard error.code == .conflict else { throw error }
      let mine = try chat.fork(named: "monday, second desk")
      try mine.commit()
    }
    // </ResumeAChat>
    #expect(try space.sessions().map(\.name) == ["monday", "monday, second desk"])
  }

  @Test func `sharing a prefix goes as its guide says`() throws {
    let folder = TemporaryFolder()
    let space = try openSpace(folder.store)
    try storeMonday(space, Engine(layout: space.layout), prompt: tokens(0..<150))
    let prompt = tokens(0..<140) + tokens(900..<980)
    let engine = Engine(layout: space.layout)
    engine.tokens = prompt
    // <ShareAPrefix>
    let known = try space.longestPrefix(of: Array(prompt.dropLast()))
    // </ShareAPrefix>
    #expect(known.tokenCount == 140)
    // <ShareAPrefix>
    for plane in space.layout.planes.indices {
      let copied = try known.gather(plane: plane, into: engine.memory(ofPlane: plane, rowCount: known.tokenCount))
      guard copied == known.tokenCount else { throw PrefixShrank() }
    }
    // </ShareAPrefix>
    #expect(engine.took(tokens(0..<140)))
    // <ShareAPrefix>
    let lease = try known.lease()
    for block in 0..<lease.blockCount {
      let tokens = lease.tokenRange(ofBlock: block)
      for plane in lease.layout.planes.indices {
        lease.withPlane(plane, ofBlock: block) { rows in engine.attend(to: rows, plane: plane, tokens) }
      }
    }
    // </ShareAPrefix>
    #expect(engine.attended.count == 3 * space.layout.planes.count)
    // <ShareAPrefix>
    let chat = try space.createSession(named: "tuesday", startingWith: prompt, from: known)
    let start = chat.tokenCount
    engine.position = start
    engine.compute(Array(prompt[start...]))
    try chat.append(Array(prompt[start...])) { rows in hand(rows, from: engine, start: start) }
    try chat.commit()
    // </ShareAPrefix>
    #expect(chat.tokens == prompt)
    #expect(try space.store.statistics().disk.blockReferenceCount == 3 + 4)
  }

  @Test func `a configuration holds what the guides show`() throws {
    let (log, folder) = (StoreConfiguration().logger, TemporaryFolder())
    let path = folder.store
    // <MemoryAndEviction>
    var configuration = StoreConfiguration(memoryBudgetBytes: 4 << 30, diskQuotaBytes: 200 << 30)
    configuration.loadThreadCount = 4
    configuration.logger = log
    let store = try Store(at: path, configuration: configuration)
    // </MemoryAndEviction>
    let statistics = try store.statistics()
    #expect(statistics.memory.budgetBytes == 4 << 30)
    #expect(statistics.disk.quotaBytes == 200 << 30)
  }

  @Test func `a file goes into a session and out again as its guide says`() throws {
    let folder = TemporaryFolder()
    let store = try Store(at: folder.store)
    let input = GuideText.root.appending(path: "data/samples/smollm2-135m_48tok_bf16_fa.v4.ggsq").path
    // <KVInterchange>
    let source = try ByteSource(path: input)
    let state = try EngineFile.read(source)
    let layout = try BlockLayout(blockTokenCount: 64, planes: state.planes)
    let fingerprint = ModelFingerprint(model: "smollm2-135m", settings: state.fingerprintSettings)
    let session = try store.cacheSpace(for: fingerprint, layout: layout).createSession(named: "monday")
    try session.append(state.tokens, sharing: .byContent) { rows in
      for plane in state.planes.indices {
        try rows.withUnsafeRows(ofPlane: plane) { try state.copyRows(plane: plane, rows: rows.tokens, into: $0) }
      }
    }
    session.origin = state.origin
    if state.checkpointByteCount > 0 { session.setCheckpoint(try state.readCheckpoint()) }
    try session.commit()
    // </KVInterchange>
    let output = folder.path + "/log"
    // <KVInterchange>
    let export = try EngineFile.writer(
      origin: session.origin, tokens: session.tokens, planes: session.space.layout.planes,
      checkpoint: try session.checkpoint() ?? [])
    let file = try ExportFile(path: output)
    try export.write(
      to: file,
      gather: { (plane, rows, memory) throws(StoreError) in
        try session.gather(plane: plane, tokens: rows, into: memory)
      })
    try file.finish()
    // </KVInterchange>
    #expect(FileManager.default.contentsEqual(atPath: input, andPath: output))
  }

  @Test(arguments: [
    "KVPager.docc/ResumeAChat", "KVPager.docc/ShareAPrefix", "KVPager.docc/MemoryAndEviction",
    "KVInterchange.docc/KVInterchange",
  ])
  func `a guide shows the very code that is tested`(path: String) throws {
    let guide = try #require(path.split(separator: "/").last.map(String.init))
    let tested = try GuideText.code(markedAs: guide, inFile: #filePath)
    let module = try #require(path.split(separator: ".").first)
    let text = try GuideText.text("Sources/\(module)/\(path).md")
    #expect(!tested.isEmpty)
    for code in tested { #expect(text.contains("```swift\n\(code)```"), "\(guide).md lacks:\n\(code)") }
    #expect(text.split(separator: "```swift\n").count - 1 == tested.count)
  }

  @Test func `the documentation opens with the README's code`() throws {
    let readme = try GuideText.text("README.md")
    let first = try #require(readme.split(separator: "```swift\n").dropFirst().first?.split(separator: "```").first)
    #expect(try GuideText.text("Sources/KVPager/KVPager.docc/KVPager.md").contains("```swift\n\(first)```"))
  }
}
