import KVBlocks
import SafeLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - A copy takes the name `data.mdb` only when it is whole, checked and synced; until then it lies in a nursery, and a
//   process that is killed leaves the nursery at most, which the next run takes away.
// - A store's file is exchanged only by the one process that has it open, so nobody writes to a file without a name.
// - From before the exchange until LMDB has opened the new file, `lock.mdb` says that it is not valid: it holds the old
//   file's newest transaction, by which LMDB would choose the wrong root of the new one.

/// Writes a store's file smaller: without its free pages.
package enum Compaction {
  /// Told how many bytes are written, of how many, now and then; from another thread.
  package typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  /// Writes a compacted copy of the store in folder `path` into folder `target`, which is made where there is none.
  /// Others may use the store meanwhile: the copy is one snapshot of it. While it is taken, their commits make the
  /// store's file grow, for the snapshot's pages stay.
  /// - Throws: `alreadyExists` where `target` holds a store; `diskFull`, `damaged`, and what opening throws.
  package static func copy(
    _ path: String, into target: String, progress: Progress? = nil
  ) throws(StoreError) -> CompactionReport {
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readOnly))
    defer { tier.close() }
    guard mkdir(target, 0o755) == 0 || errno == EEXIST else {
      throw StoreFile(directory: target).systemError("make the directory")
    }
    guard access("\(target)/data.mdb", F_OK) != 0 else {
      throw .holdsStore(target)
    }
    // Somebody else may be at work in the same folder.
    CompactionNursery.sweep(target)
    let nursery = try CompactionNursery(in: target)
    defer { nursery.remove() }
    var report = try write(tier, into: nursery, isStill: false, progress: progress)
    report.byteCountBefore = try tier.fileByteCount()
    try StoreFile(directory: target).adopt(nursery.dataPath, replacing: false)
    return report
  }

  /// Puts a compacted file in the place of the store's own.
  /// - Parameter dropsCache: deletes the blocks that no session refers to first.
  /// - Throws: `busy` where another process has the store open; `diskFull`, `damaged`, `permissionDenied`, and what
  ///   opening throws. The store is as it was then, less the blocks that were to be dropped.
  package static func replace(
    _ path: String, dropsCache: Bool = false, progress: Progress? = nil
  ) throws(StoreError) -> CompactionReport {
    let file = StoreFile(directory: path)
    try file.requireOwnFile()
    let tier = try DiskTier(
      path: path,
      options: DiskTierOptions(access: dropsCache ? .readWrite : .readOnly, quotaBytes: dropsCache ? 0 : nil))
    defer { tier.close() }
    let hold = try ExclusiveHold(path)
    defer { hold.release() }
    CompactionNursery.sweep(path) { _ in true }
    let byteCountBefore = try tier.fileByteCount()
    var deletedBlockCount = 0
    if dropsCache {
      deletedBlockCount = try tier.collectGarbage(nowMicroseconds: 0, isProtected: { _ in false }).deletedBlockCount
    }
    let nursery = try CompactionNursery(in: path)
    defer { nursery.remove() }
    var report = try write(tier, into: nursery, isStill: true, progress: progress)
    report.byteCountBefore = byteCountBefore
    report.deletedBlockCount = deletedBlockCount
    try file.handOverOwner(to: nursery.dataPath)
    // From here on nothing of this process writes to the lock file's slots, which others fill after the exchange.
    tier.environment.dropIdleReaders()
    try hold.invalidateLockFile()
    try file.adopt(nursery.dataPath, replacing: true)
    // LMDB writes its lock file anew for the new file, while still nobody else can have it open.
    try tier.reopenLockFile()
    return report
  }

  /// The copy, whole, synced and checked.
  /// - Parameter isStill: nobody can have changed the store meanwhile.
  private static func write(
    _ tier: DiskTier, into nursery: CompactionNursery, isStill: Bool, progress: Progress?
  ) throws(StoreError) -> CompactionReport {
    let needed = try tier.usedByteCount()
    try requireRoom(needed, in: nursery.path)
    let growth = progress.map { progress in
      PeriodicWork {
        var status = stat()
        if stat(nursery.dataPath, &status) == 0 { progress(min(Int(status.st_size), needed), needed) }
      }
    }
    defer { growth?.stop() }
    do throws(LMDBError) {
      try tier.environment.copy(to: nursery.path, compacting: true)
    } catch .incompatible {
      throw StoreError(
        .inputOutput,
        "the store's file has pages that belong to nothing: they are harmless, but LMDB does not compact a file with "
          + "them; `kvpager salvage` makes a new store of what it holds, without them")
    } catch {
      throw StoreError(error)
    }
    try StoreFile(directory: nursery.path).syncData()
    // The guard's rules, since it is opened; then what it says of itself.
    let copy = try DiskTier(path: nursery.path, options: DiskTierOptions(access: .readOnly))
    defer { copy.close() }
    let counts = try copy.entryCounts()
    let wanted = isStill ? try tier.entryCounts() : counts
    guard copy.header == tier.header, counts == wanted else {
      throw StoreError(
        .inputOutput, "the compacted copy does not hold what the store does: the disk may be failing; `kvpager verify`")
    }
    return CompactionReport(
      byteCountAfter: try copy.fileByteCount(), sessionCount: counts.sessions, blockCount: counts.blocks)
  }

  private static func requireRoom(_ byteCount: Int, in folder: String) throws(StoreError) {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return }
    let (free, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    guard !overflow, free < UInt64(byteCount) else { return }
    throw StoreError(
      .diskFull,
      "the compacted copy takes \(byteCount) bytes and \(folder) has \(free) left: free space there, or write the "
        + "copy to another disk with --into")
  }
}
