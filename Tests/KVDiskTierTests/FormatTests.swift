import KVBlocks
import KVSimulation
import Testing

@testable import KVDiskTier

struct FormatTests {
  private static let descriptor = BlockDescriptor(
    space: SpaceID(rawValue: 3), parent: ChainHash.root(seed: "x"), tokens: Array(0..<16), extra: [.lora(name: "l")])

  private static func samples() throws -> [(String, [UInt8], (RawSpan) throws(StoreError) -> Void)] {
    let block = BlockRecord(
      key: descriptor.key, parent: descriptor.parent, tokens: descriptor.tokens, encodedExtra: descriptor.encodedExtra,
      frame: FrameReference(id: 7, byteCount: 12345), frameChecksum: 99, payloadByteCount: 54321, sessionCount: 2,
      lastUseMicroseconds: 1_700_000_000_000_000, codecUses: [.init(filter: 1, compressor: 1, planeCount: 60)])
    let layout = try TestStore.layout()
    let fingerprint = ModelFingerprint(
      model: "m", adapter: "a", settings: ["v_trans": "1", "n_rot": "64"], salt: "s", vllmSeed: "seed")
    let space = SpaceRecord(
      id: SpaceID(rawValue: 3), fingerprint: fingerprint, layout: layout, root: fingerprint.rootHash(layout: layout))
    let body = SessionBody(
      record: SessionRecord(
        space: SpaceID(rawValue: 3), name: "chat", revision: 4, createdMicroseconds: 5, updatedMicroseconds: 6,
        expiresMicroseconds: 7, tokens: Array(0..<20), blocks: [descriptor.key.hash], metadata: ["k": "v"],
        origin: [1, 2, 3], checkpointByteCount: 11),
      root: space.root, checkpoint: .init(frame: FrameReference(id: 9, byteCount: 10), byteCount: 11),
      checkpointIdentifier: space.root)
    let bodyBytes = try body.encoded()
    let summary = SessionSummary(
      space: body.record.space, name: "chat", revision: 4, createdMicroseconds: 5, updatedMicroseconds: 6,
      expiresMicroseconds: nil, tokenCount: 20, blockCount: 1, checkpoint: nil,
      body: FrameReference(id: 0, byteCount: bodyBytes.count))
    let header = StoreHeader(formatVersion: 1, storeID: Array(0..<16), createdMicroseconds: 1)
    return [
      (
        "block", BlockFormat.encode(block),
        { (s) throws(StoreError) in
          guard try BlockFormat.decode(s, key: descriptor.key) == block else { throw StoreError(.conflict, "differs") }
        }
      ),
      (
        "space", SpaceFormat.encode(space),
        { (s) throws(StoreError) in
          guard try SpaceFormat.decode(s, id: space.id) == space else { throw StoreError(.conflict, "differs") }
        }
      ),
      (
        "body", bodyBytes,
        { (s) throws(StoreError) in
          guard try SessionBody.decode(s) == body else { throw StoreError(.conflict, "differs") }
        }
      ),
      (
        "session", SessionFormat.encode(summary, inlineBody: bodyBytes),
        { (s) throws(StoreError) in
          let decoded = try SessionFormat.decode(s, space: summary.space, name: "chat")
          guard decoded.summary == summary, decoded.inlineBody == bodyBytes else {
            throw StoreError(.conflict, "differs")
          }
        }
      ),
      (
        "store", header.encoded(),
        { (s) throws(StoreError) in
          guard try StoreHeader.decode(s, path: "p") == header else { throw StoreError(.conflict, "differs") }
        }
      ),
      (
        "counters", StoreCounters(nextSpace: 4, nextFrame: 5, lastRevision: 6).encoded(),
        { (s) throws(StoreError) in
          guard try StoreCounters.decode(s) == StoreCounters(nextSpace: 4, nextFrame: 5, lastRevision: 6) else {
            throw StoreError(.conflict, "differs")
          }
        }
      ),
    ]
  }

  @Test func `every record reads back as it was written`() throws {
    for (_, bytes, decode) in try Self.samples() { try decode(bytes.span.bytes) }
  }

  @Test func `every bit that changes and every length that is short is noticed`() throws {
    for (name, bytes, decode) in try Self.samples() {
      for index in bytes.indices {
        for bit in 0..<8 {
          var damaged = bytes
          damaged[index] ^= 1 << bit
          #expect(throws: StoreError.self, "\(name) byte \(index) bit \(bit)") { try decode(damaged.span.bytes) }
        }
        let short = Array(bytes.prefix(index))
        #expect(throws: StoreError.self, "\(name) cut at \(index)") { try decode(short.span.bytes) }
      }
    }
  }

  @Test func `a record that lies under a true checksum is an error or another record, never a crash`() throws {
    var random = SplitMix64(seed: 42)
    for (_, bytes, decode) in try Self.samples() {
      for _ in 0..<4000 {
        var forged = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let index = Int.random(in: 0..<(bytes.count - 8), using: &random)
          forged[index] =
            [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random) ?? 0
        }
        if Bool.random(using: &random) { forged.removeLast(Int.random(in: 0..<forged.count - 9, using: &random)) }
        RecordWriter.reseal(&forged)
        do throws(StoreError) { try decode(forged.span.bytes) } catch { #expect(!error.message.isEmpty) }
      }
    }
  }

  @Test func `extents are whole pages and add up to the frame`() {
    var random = SplitMix64(seed: 3)
    for _ in 0..<20_000 {
      let byteCount = Int.random(in: 1...8_000_000, using: &random)
      let count = ExtentFormat.pieceCount(of: byteCount)
      var payload = 0
      var stored = 0
      for piece in 0..<count {
        let range = ExtentFormat.payloadRange(ofPiece: piece, of: byteCount)
        let value = ExtentFormat.valueByteCount(ofPiece: piece, of: byteCount)
        #expect(range.lowerBound == payload)
        #expect((value + ExtentFormat.pageHeaderByteCount) % ExtentFormat.pageByteCount == 0)
        #expect(value >= range.count + ExtentFormat.headerByteCount && value <= ExtentFormat.fullByteCount)
        payload = range.upperBound
        stored += value + ExtentFormat.pageHeaderByteCount
      }
      #expect(payload == byteCount)
      #expect(stored == ExtentFormat.storedByteCount(of: byteCount))
      #expect(stored - byteCount <= max(4096, byteCount / 128) + 32 * count)
    }
  }

  @Test func `a frame takes just the pages that its extents say`() throws {
    let store = try TestStore()
    var churn = Churn(store, greatestByteCount: 1_500_000)
    defer { churn.deallocate() }
    var pageCount = 0
    for byteCount in [1, 4064, 4065, 262_112, 262_113, 345_000, 1_400_000] {
      try churn.commit(count: 1, sizes: byteCount...byteCount)
      pageCount += ExtentFormat.storedByteCount(of: byteCount) / 4096
      let stored = try store.tier.environment.read { (transaction) throws(StoreError) in
        try transaction.size(of: store.tier.tables.extents).overflowPageCount
      }
      #expect(stored == pageCount, "after a frame of \(byteCount) bytes")
    }
  }

  @Test func `a session that claims a checkpoint beyond any frame is damaged`() throws {
    let root = ChainHash.root(seed: "x")
    for (byteCount, isDamaged) in [(BlockLayout.frameByteCountLimit, false), (1 << 40, true), (Int.max, true)] {
      let body = SessionBody(
        record: SessionRecord(space: SpaceID(rawValue: 3), name: "chat"), root: root,
        checkpoint: .init(frame: FrameReference(id: 9, byteCount: 10), byteCount: byteCount), checkpointIdentifier: root
      )
      let bytes = try body.encoded()
      do {
        #expect(try SessionBody.decode(bytes).checkpoint?.byteCount == byteCount)
        #expect(!isDamaged)
      } catch {
        #expect(isDamaged && error.code == .damaged)
      }
    }
  }

  @Test func `a record that claims more than any store holds is damaged`() throws {
    for (name, bytes, decode) in try Self.samples() {
      // Frame numbers, then sizes, of blocks, of sessions' listings and of bodies.
      let (frames, sizes) =
        switch name {
        case "block": ([16], [24, 40])
        case "session": ([48, 72], [40, 56, 64, 80])
        case "body": ([56], [64, 72])
        default: ([], [])
        }
      let claims: [(Int, UInt64)] =
        frames.flatMap { [($0, 1 << 48), ($0, .max)] } + sizes.flatMap { [($0, 1 << 40), ($0, UInt64(Int.max))] }
      for (offset, value) in claims {
        var forged = bytes
        RecordWriter.store(value, in: &forged, at: offset)
        RecordWriter.reseal(&forged)
        let error = #expect(throws: StoreError.self, "\(name): \(value) at \(offset)") {
          try decode(forged.span.bytes)
        }
        #expect(error?.code == .damaged, "\(name): \(value) at \(offset)")
      }
    }
  }

  @Test func `keys sort as the tables need them`() {
    let key = Self.descriptor.key
    let times: [UInt64] = [0, 1, 255, 256, 1 << 32, .max]
    let keys = times.map { time in Keys.recency(lastUse: time, key).span.withUnsafeBytes { Array($0) } }
    for (a, b) in zip(keys, keys.dropFirst()) { #expect(a.lexicographicallyPrecedes(b)) }
    let fourth = keys[4]
    let recency = Keys.recency(of: fourth.span.bytes)
    #expect(recency?.lastUse == 1 << 32)
    #expect(recency?.key == key)
    let bytes = Keys.extent(frame: 77, piece: 5)
    let extent = Keys.extent(of: bytes.span.bytes)
    #expect(extent?.frame == 77)
    #expect(extent?.piece == 5)
  }
}
