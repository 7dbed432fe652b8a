import KVDiskTier
import KVTiering

extension Store {
  /// The cache space of a fingerprint and a layout, made where there is none.
  /// - Throws: `budgetTooSmall` where the RAM budget does not hold one block of this layout; `readOnly`.
  public func cacheSpace(for fingerprint: ModelFingerprint, layout: BlockLayout) throws(StoreError) -> CacheSpace {
    try checkUsable()
    try checkBudget(layout)
    return CacheSpace(store: self, record: try disk.findOrCreateSpace(fingerprint: fingerprint, layout: layout))
  }

  /// - Throws: `notFound`.
  public func cacheSpace(_ id: SpaceID) throws(StoreError) -> CacheSpace {
    try checkUsable()
    guard let record = try disk.space(id) else { throw StoreError(.notFound, "no cache space \(id) in \(path)") }
    try checkBudget(record.layout)
    return CacheSpace(store: self, record: record)
  }

  public func cacheSpaces() throws(StoreError) -> [CacheSpace] {
    try checkUsable()
    return try disk.spaces().map { CacheSpace(store: self, record: $0) }
  }

  /// All committed sessions of all cache spaces, by space and name.
  public func sessions() throws(StoreError) -> [SessionInfo] {
    try checkUsable()
    return try disk.sessions().map { SessionInfo($0) }
  }

  /// Resumes the session of that name, in whichever cache space it is.
  /// - Throws: `notFound`; `invalidArgument` where several spaces have the name.
  public func session(named name: String) throws(StoreError) -> Session {
    try cacheSpace(holdingSession: name).session(named: name)
  }

  /// Deletes a committed session. Its blocks stay as cache until the quota needs their room.
  /// - Throws: as ``session(named:)``.
  public func deleteSession(named name: String) throws(StoreError) {
    let space = try cacheSpace(holdingSession: name)
    try space.deleteSession(named: name)
  }

  private func cacheSpace(holdingSession name: String) throws(StoreError) -> CacheSpace {
    try checkUsable()
    let holders = try disk.sessionSummaries().filter { $0.name == name }
    guard let holder = holders.first else { throw StoreError(.notFound, "no session \"\(name)\" in \(path)") }
    guard holders.count == 1 else {
      throw .invalidArgument(
        "session \"\(name)\" exists in cache spaces "
          + "\(holders.map(\.space.description).joined(separator: ", ")); name the space")
    }
    return try cacheSpace(holder.space)
  }

  /// Makes every cached block durable, sessions' or not.
  public func writeBack() throws(StoreError) {
    try checkWritable()
    try pager.writeBack()
  }

  /// Deletes expired sessions and what the quota says is too much.
  public func collectGarbage() throws(StoreError) -> GarbageReport {
    try checkWritable()
    let (disk, pager) = (disk, pager)
    let now = WallClock.nowMicroseconds()
    let report = try pager.performOnWriter { () throws(StoreError) in
      try disk.collectGarbage(nowMicroseconds: now, isProtected: { pager.mustKeep($0) })
    }
    logger.info("garbage collected", metadata: ["sessions": "\(report.expiredSessionCount)"])
    return GarbageReport(
      expiredSessionCount: report.expiredSessionCount, deletedBlockCount: report.deletedBlockCount,
      freedBytes: report.freedBytes, keptExtentCount: report.keptExtentCount)
  }

  /// What the store's own consistency check finds wrong, every frame decoded: nothing in a healthy store.
  package func audit() throws(StoreError) -> [String] {
    try checkUsable()
    let disk = disk
    return try pager.performOnWriter { () throws(StoreError) in try disk.audit(deep: true).map(\.description) }
  }

  /// Checks what the pager keeps in RAM against itself.
  package func assertInvariants() { pager.assertInvariants() }

  private func checkBudget(_ layout: BlockLayout) throws(StoreError) {
    guard layout.frameByteCount <= configuration.memoryBudgetBytes else {
      throw StoreError(
        .budgetTooSmall,
        "a RAM budget of \(configuration.memoryBudgetBytes) bytes does not hold one block of "
          + "\(layout.blockTokenCount) tokens (\(layout.frameByteCount) bytes); "
          + "raise the budget or take fewer tokens per block")
    }
  }
}

extension CacheSpace {
  /// Deletes a committed session. - Throws: `notFound`.
  public func deleteSession(named name: String) throws(StoreError) {
    try store.checkWritable()
    _ = try store.pager.commit(.delete(space: id, name: name), requiring: [])
  }

  /// The space's committed sessions, by name.
  public func sessions() throws(StoreError) -> [SessionInfo] {
    try store.sessions().filter { $0.space == id }
  }
}
