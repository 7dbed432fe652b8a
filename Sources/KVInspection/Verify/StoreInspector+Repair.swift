import KVBlocks
import KVDiskTier

extension StoreInspector {
  /// Has the disk tier set right what a deep `verify` found, and says what it did. Others may use the store meanwhile.
  /// - Parameters:
  ///   - report: of a deep `verify`: its damaged frames are read again first.
  ///   - cutsSessions: cuts sessions that lost blocks back to what is whole of them, and drops damaged checkpoints.
  /// - Throws: `damaged` where LMDB's own structure is, which no repair can set right; whatever opening and writing the
  ///   store throw.
  package func repair(_ report: VerifyReport, cutsSessions: Bool) throws(StoreError) -> RepairReport {
    guard report.isUsable else {
      throw StoreError(
        .damaged,
        "LMDB's own structure is damaged at \(path), which no repair can set right: "
          + "`kvpager salvage` brings what is whole into a new store")
    }
    let tier = try DiskTier(path: path, options: DiskTierOptions(access: .readWrite))
    defer { tier.close() }
    return try tier.repair(report.suspects, cutsSessions: cutsSessions)
  }
}

extension RepairReport: JSONConvertible {
  package var json: JSONValue {
    let cuts = cuts.map { cut -> JSONValue in
      [
        "space": .unsigned(UInt64(cut.space.rawValue)), "session": .string(cut.name),
        "oldTokens": .integer(cut.oldTokenCount), "newTokens": .integer(cut.newTokenCount),
      ]
    }
    return [
      "restoredBlocks": .integer(restoredBlockCount), "restoredSessions": .integer(restoredSessionCount),
      "restoredSpaces": .integer(restoredSpaceCount), "restoredExtents": .integer(restoredExtentCount),
      "droppedBlocks": .integer(droppedBlockCount), "droppedSessions": .array(droppedSessions.map { .string($0) }),
      "cutSessions": .array(cuts), "droppedCheckpoints": .array(droppedCheckpoints.map { .string($0) }),
      "correctedCounts": .integer(correctedCountCount), "correctedLinks": .integer(correctedLinkCount),
      "rewrittenExtents": .integer(rewrittenExtentCount), "rewrittenSessions": .integer(rewrittenSessionCount),
      "correctedCounters": .bool(correctedCounters),
      "deletedEntries": .integer(deletedEntryCount), "deletedExtents": .integer(deletedExtentCount),
    ]
  }
}
