import KVBlocks
import KVCodec
import KVDiskTier

/// What of a block is wanted.
package struct BlockOptions: Sendable {
  /// Nil: the one space that has such a block.
  package var space: SpaceID?
  /// Nil: all planes.
  package var planes: [PlaneChoice]?
  package var nameLimit: Int
  /// Makes text of tokens.
  package var text: (@Sendable ([Token]) -> String)?
  /// The words that a session that holds it keeps of itself, where there is no other text.
  package var wantsSessionText: Bool

  package init(
    space: SpaceID? = nil, planes: [PlaneChoice]? = nil, nameLimit: Int = 100,
    text: (@Sendable ([Token]) -> String)? = nil, wantsSessionText: Bool = false
  ) {
    (self.space, self.planes, self.nameLimit) = (space, planes, nameLimit)
    (self.text, self.wantsSessionText) = (text, wantsSessionText)
  }
}

extension StoreInspector {
  /// Digits of a hash that must be given at least.
  package static let leastPrefixDigitCount = 4
  private static let ambiguousNameCount = 8

  /// One block with all that can be said of it. Damage to its frame is a part of the answer.
  /// - Throws: `notFound`; `invalidArgument` for a prefix that several blocks have; `damaged` where its record is.
  package func block(_ prefix: HashPrefix, _ options: BlockOptions = BlockOptions()) throws(StoreError) -> BlockDetail {
    try withTier { (tier) throws(StoreError) in
      let (space, record) = try found(prefix, options.space, tier)
      let chosen: [Int]
      if let planes = options.planes {
        var places: [Int] = []
        for plane in planes { places.append(try plane.index(in: space.layout)) }
        chosen = places
      } else {
        chosen = Array(space.layout.planes.indices)
      }
      let frame = try tier.examineFrame(of: record)
      let (chain, chainFailure) = try Self.chain(of: record, space, tier)
      let holders = try Self.holders(of: record, options, tier)
      var detail = BlockDetail(
        space: space, record: record, chain: chain, chainFailure: chainFailure, sessions: holders.names,
        sessionCount: holders.count, frame: frame, planes: [],
        findings: Self.findings(record, frame, space) + (chainFailure.map { [$0] } ?? []),
        text: options.text.map { $0(record.tokens) }, sessionText: holders.text)
      detail.planes = try Self.planes(chosen, of: record, space.layout, frame, tier)
      return detail
    }
  }

  /// Hands the rows of one plane, whole and verified, to `body`.
  /// - Throws: as ``block(_:_:)``; `damaged` where the plane's rows cannot be had.
  package func withRows<R>(
    of plane: PlaneChoice, _ prefix: HashPrefix, space: SpaceID? = nil,
    _ body: (PlaneLayout, _ tokenCount: Int, UnsafeRawBufferPointer) throws(StoreError) -> R
  ) throws(StoreError) -> R {
    let (layout, tokenCount, rows) = try withTier {
      (tier) throws(StoreError) -> (PlaneLayout, Int, UnsafeMutableRawBufferPointer) in
      let (space, record) = try found(prefix, space, tier)
      let index = try plane.index(in: space.layout)
      let layout = space.layout.planes[index]
      guard record.tokens.count <= space.layout.blockTokenCount else {
        throw StoreError(.damaged, Self.overlong(record, space.layout))
      }
      let rows = UnsafeMutableRawBufferPointer.allocate(
        byteCount: layout.rowByteCount * record.tokens.count, alignment: 64)
      do throws(StoreError) {
        let outcome = try tier.examinePlane(index, of: record, layout: space.layout, into: rows)
        if case .damaged(let what) = outcome {
          throw StoreError(.damaged, "the rows of \(layout.plane) of block \(record.key.hash) cannot be had: \(what)")
        }
        return (layout, record.tokens.count, rows)
      } catch {
        rows.deallocate()
        throw error
      }
    }
    // The store is closed again: a reader at the end of a pipe may be slow.
    defer { rows.deallocate() }
    return try body(layout, tokenCount, UnsafeRawBufferPointer(rows))
  }

  private func found(
    _ prefix: HashPrefix, _ space: SpaceID?, _ tier: DiskTier
  ) throws(StoreError) -> (SpaceRecord, BlockRecord) {
    guard prefix.digitCount >= Self.leastPrefixDigitCount else {
      throw .invalidArgument(
        "\"\(prefix)\" has \(prefix.digitCount) digits of a hash; give \(Self.leastPrefixDigitCount) or more")
    }
    let spaces = try spaces(space, tier)
    var keys: [BlockKey] = []
    for space in spaces {
      keys += try tier.blockKeys(
        in: space.id, from: prefix.least, through: prefix.greatest, limit: Self.ambiguousNameCount + 1 - keys.count)
    }
    guard keys.count < 2 else {
      let isOneHash = Set(keys.map(\.hash)).count == 1
      let list =
        keys.prefix(Self.ambiguousNameCount).map { "\($0.hash.description.prefix(16)) (space \($0.space))" }
        .joined(separator: ", ") + (keys.count > Self.ambiguousNameCount ? ", and more" : "")
      throw .invalidArgument(
        isOneHash
          ? "several spaces have a block \(prefix): \(list); say which with --space"
          : "several blocks begin with \(prefix): \(list); give more digits")
    }
    guard let key = keys.first, let found = spaces.first(where: { $0.id == key.space }),
      let record = try tier.record(of: key)
    else {
      throw StoreError(.notFound, "there is no block \(prefix) in \(path); `kvpager blocks` lists them")
    }
    return (found, record)
  }

  /// From the root to the block. Each step is one short look-up.
  private static func chain(
    of record: BlockRecord, _ space: SpaceRecord, _ tier: DiskTier
  ) throws(StoreError) -> (runs: [BlockDetail.ChainRun], failure: String?) {
    var runs: [BlockDetail.ChainRun] = []
    let limit = try tier.storedBlockCount() + 1
    var blockCount = 0
    var hash = record.key.hash
    var failure: String?
    while hash != space.root {
      guard blockCount < limit else {
        failure = "its chain of parents runs in a circle"
        break
      }
      guard let block = try tier.summaries(of: [hash], in: space.id)[0] else {
        failure = "block \(hash) of its chain is not stored, or its record is damaged"
        break
      }
      blockCount += 1
      if let last = runs.indices.last, runs[last].sessionCount == block.sessionCount {
        runs[last].first = hash
        runs[last].blockCount += 1
        runs[last].tokenCount &+= block.tokenCount
        runs[last].rowByteCount &+= block.payloadByteCount
        runs[last].frameByteCount &+= block.frame.byteCount
      } else {
        runs.append(
          BlockDetail.ChainRun(
            first: hash, last: hash, blockCount: 1, tokenCount: block.tokenCount, sessionCount: block.sessionCount,
            rowByteCount: block.payloadByteCount, frameByteCount: block.frame.byteCount))
      }
      hash = block.parent
    }
    return (runs.reversed(), failure)
  }

  /// The sessions whose block tables hold the block. The scan ends when as many are found as the record counts.
  private static func holders(
    of record: BlockRecord, _ options: BlockOptions, _ tier: DiskTier
  ) throws(StoreError) -> (names: [String], count: Int, text: String?) {
    var (names, count, text): ([String], Int, String?) = ([], 0, nil)
    guard record.sessionCount > 0 else { return ([], 0, nil) }
    try tier.scanSessions { (summary, session) throws(StoreError) in
      guard summary.space == record.key.space, session.blocks.contains(record.key.hash) else { return true }
      count += 1
      if names.count < options.nameLimit { names.append(summary.name) }
      if text == nil, options.text == nil, options.wantsSessionText {
        text = SessionWords.opening(session.metadata)
      }
      return count < Int(record.sessionCount)
    }
    return (names, count, text)
  }

  private static func findings(
    _ record: BlockRecord, _ frame: FrameExamination, _ space: SpaceRecord
  ) -> [String] {
    var findings: [String] = []
    if ChainHash.hash(parent: record.parent, tokens: record.tokens, encodedExtra: record.encodedExtra)
      != record.key.hash
    {
      findings.append("the record's parent and tokens do not make its hash")
    }
    for (index, extent) in frame.extents.enumerated() {
      if let failure = extent.failure { findings.append("extent \(index) of \(frame.extents.count): \(failure)") }
    }
    guard let header = frame.header else {
      return findings + ["the frame's header: \(frame.failure ?? "it cannot be read")"]
    }
    if header.kind != .block || header.key != record.key { findings.append("the frame is another block's") }
    if header.parent != record.parent || header.tokens != record.tokens || header.encodedExtra != record.encodedExtra {
      findings.append("the frame's header and the record differ in parent, tokens or extra keys")
    }
    if header.frameByteCount != record.frame.byteCount {
      findings.append(
        "the frame's header says \(header.frameByteCount) bytes and the record \(record.frame.byteCount)")
    }
    if (try? header.layout()) != space.layout { findings.append("the frame's planes are not those of its space") }
    return findings
  }

  private static func overlong(_ record: BlockRecord, _ layout: BlockLayout) -> String {
    "the record has \(record.tokens.count) tokens, where a block has \(layout.blockTokenCount) at most"
  }

  private static func planes(
    _ chosen: [Int], of record: BlockRecord, _ layout: BlockLayout, _ frame: FrameExamination, _ tier: DiskTier
  ) throws(StoreError) -> [BlockDetail.PlaneDetail] {
    let entries = frame.header?.planes ?? []
    var planes: [BlockDetail.PlaneDetail] = []
    for index in chosen {
      let plane = layout.planes[index]
      var detail = BlockDetail.PlaneDetail(
        index: index, layout: plane, stored: entries.indices.contains(index) ? .init(entries[index]) : nil,
        failure: nil,
        numbers: nil)
      if frame.header == nil {
        detail.failure = "the frame's header cannot be believed"
      } else if record.tokens.count > layout.blockTokenCount {
        detail.failure = overlong(record, layout)
      } else {
        // One plane at a time: that is all the memory it takes.
        let rows = UnsafeMutableRawBufferPointer.allocate(
          byteCount: plane.rowByteCount * record.tokens.count, alignment: 64)
        defer { rows.deallocate() }
        switch try tier.examinePlane(index, of: record, layout: layout, into: rows) {
        case .loaded:
          if ElementValues.areKnown(plane.elementType) {
            detail.numbers = NumericSummary(plane.elementType, UnsafeRawBufferPointer(rows))
          }
        case .absent: detail.failure = "it is gone"
        case .damaged(let what): detail.failure = what
        }
      }
      planes.append(detail)
    }
    return planes
  }
}
