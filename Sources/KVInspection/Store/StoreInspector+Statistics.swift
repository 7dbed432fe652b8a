import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Counts of the whole store, through short transactions; in RAM little more than the sample of frames.
  /// - Parameters:
  ///   - nowMicroseconds: when ages are told from.
  ///   - quotaByteCount: what the caller knows of a quota: a store does not keep it.
  package func statistics(
    detail: StatisticsDetail = .standard, nowMicroseconds: UInt64 = StoreClock.microseconds(),
    quotaByteCount: Int? = nil
  ) throws(StoreError) -> StoreStatistics {
    try withGuardedTier { (tier, file) throws(StoreError) in
      try statistics(tier, file, detail, nowMicroseconds, quotaByteCount)
    }
  }

  func statistics(
    _ tier: DiskTier, _ file: LMDBFileReport, _ detail: StatisticsDetail, _ nowMicroseconds: UInt64,
    _ quotaByteCount: Int?
  ) throws(StoreError) -> StoreStatistics {
    var count = try StatisticsCount(tier, file, detail, nowMicroseconds)
    try count.countBlocks()
    try count.countSessions()
    try count.countPlanes()
    var statistics = try count.finished()
    statistics.activity = try activity()
    let kept = statistics.activity?.processes.filter(\.isAlive).compactMap { $0.quotaBytes.map { Int(clamping: $0) } }
    statistics.quotaByteCount = quotaByteCount ?? kept?.min()
    return statistics
  }
}

/// One counting of a store.
private struct StatisticsCount {
  let tier: DiskTier
  let detail: StatisticsDetail
  let spaces: [SpaceRecord]
  private var statistics: StoreStatistics
  private var counts: [SpaceID: SpaceCount] = [:]
  /// Frames whose headers are to be read.
  private var frames: [FrameReference] = []
  private var outcomes: [ScanOutcome] = []

  init(
    _ tier: DiskTier, _ file: LMDBFileReport, _ detail: StatisticsDetail, _ nowMicroseconds: UInt64
  ) throws(StoreError) {
    self.tier = tier
    self.detail = detail
    var damagedCount = 0
    spaces = try tier.spaces { _, _ in damagedCount += 1 }
    statistics = StoreStatistics(file: file, nowMicroseconds: nowMicroseconds)
    statistics.damagedRecordCount = damagedCount
  }

  mutating func countBlocks() throws(StoreError) {
    let layouts = Dictionary(spaces.map { ($0.id, $0.layout) }) { first, _ in first }
    let stride = try self.stride()
    var space: SpaceID?
    var layout: BlockLayout?
    var count = SpaceCount()
    var damagedCount = 0
    func closeSpace() { if let space { counts[space, default: .init()].add(count) } }
    let outcome = try tier.scanBlocks(damaged: { _, _ in damagedCount += 1 }) { (block) throws(StoreError) in
      if block.key.space != space {
        closeSpace()
        (space, layout, count) = (block.key.space, layouts[block.key.space], SpaceCount())
      }
      // Hashes are spread evenly, so that each so-manieth block of a space is an even sample.
      if let stride, count.blockCount % stride == 0 { frames.append(block.frame) }
      let full = layout?.blockTokenCount ?? block.tokenCount
      count.add(block, blockTokenCount: full)
      if block.tokenCount < full {
        statistics.waste.addTail(missing: full - block.tokenCount, tokenByteCount: layout?.tokenByteCount ?? 0)
      }
      statistics.waste.addPadding(of: block.frame)
      statistics.sharing.add(block)
      statistics.ages.add(block)
      return true
    }
    closeSpace()
    statistics.damagedRecordCount += damagedCount
    outcomes.append(outcome)
  }

  /// Each how-manieth block's frame is looked at; nil: none.
  private func stride() throws(StoreError) -> Int? {
    switch detail {
    case .records: return nil
    case .exact: return 1
    case .sampled(let limit):
      let limit = max(1, limit)
      return max(1, (try tier.storedBlockCount() + limit - 1) / limit)
    }
  }

  mutating func countSessions() throws(StoreError) {
    var damagedCount = 0
    let now = statistics.ages.nowMicroseconds
    let outcome = try tier.scanSessionSummaries(damaged: { _, _ in damagedCount += 1 }) {
      (session) throws(StoreError) in
      counts[session.space, default: .init()].sessionCount += 1
      if session.isExpired(at: now) { statistics.expiredSessionCount += 1 }
      statistics.sessionRecordByteCount &+= session.body.byteCount
      if session.body.id != 0 { statistics.waste.addPadding(of: session.body) }
      if let checkpoint = session.checkpoint {
        statistics.checkpointByteCount &+= checkpoint.frame.byteCount
        statistics.waste.addPadding(of: checkpoint.frame)
      }
      return true
    }
    statistics.damagedRecordCount += damagedCount
    outcomes.append(outcome)
  }

  mutating func countPlanes() throws(StoreError) {
    guard detail != .records else { return }
    frames.sort { $0.id < $1.id }
    var planes = PlaneCount(spaces)
    var damagedCount = 0
    let outcome = try tier.scanFrameHeaders(of: frames, damaged: { _, _ in damagedCount += 1 }) {
      (header) throws(StoreError) in
      planes.add(header)
      return true
    }
    for _ in 0..<damagedCount { planes.addDamaged() }
    outcomes.append(outcome)
    statistics.planes = planes.statistics(counts)
  }

  func finished() throws(StoreError) -> StoreStatistics {
    var statistics = statistics
    for count in counts.values { statistics.total.add(count) }
    statistics.spaces = spaces.map { SpaceFacts($0, counts[$0.id] ?? SpaceCount()) }
    statistics.deletableBlockCount = try tier.deletableBlockCount()
    (statistics.fileByteCount, statistics.diskByteCount) = try tier.fileSize()
    let last = outcomes.compactMap(\.snapshot).max() ?? statistics.file.transactionID
    statistics.readers = tier.readersAtOpening.map { ReaderFacts($0, lastCommit: last) }
    // The guard counted the file first.
    let snapshots = Set(outcomes.compactMap(\.snapshot) + [statistics.file.transactionID])
    statistics.isOneSnapshot = outcomes.allSatisfy(\.isOneSnapshot) && snapshots.count == 1
    return statistics
  }
}
