import KVBlocks

/// LMDB's own table of sessions, read page by page without LMDB: which sessions were there, so that remains of deleted
/// ones stay deleted.
struct RawSessionTable {
  enum Entry: Hashable {
    case revision(UInt64)
    /// The name stands in the table, and its record there is damaged.
    case unreadable
  }

  var entries: [RawSessionList.Key: Entry] = [:]
  /// Revisions of entries whose names are damaged.
  var nameless: Set<UInt64> = []
  /// An entry has neither a name nor a revision: which session it was is not known.
  private var isPartLost = false
  /// Revisions above this were given after the table was written. Where LMDB's newest meta page is lost they were
  /// committed; after a power loss perhaps not, but they are whole all the same.
  var lastRevision: UInt64 = 0

  /// Nil where any page on the way is damaged: a table of which a part is missing would call sessions deleted that are
  /// not.
  static func read(_ file: LMDBDataFile) throws(StoreError) -> RawSessionTable? {
    for meta in try LMDBMetaPages.readable(of: file) {
      var table = RawSessionTable()
      var walk = LMDBFileWalk(
        file: file, metas: meta, fileByteCount: try file.byteCount(), isDeep: false, findingCountLimit: 1)
      var hasCounters = false
      try walk.run(tables: [TableName.meta, TableName.sessions]) { name, key, value in
        if name == TableName.sessions {
          table.note(key, value)
        } else if key.elementsEqual(StoreCounters.key), let counters = try? StoreCounters.decode(value.bytes) {
          table.lastRevision = counters.lastRevision
          hasCounters = true
        }
      }
      guard walk.report.findings.isEmpty, hasCounters, !table.isPartLost else { continue }
      return table
    }
    return nil
  }

  private mutating func note(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    guard let (space, name) = Keys.session(of: key.bytes) else {
      let nowhere = SpaceID(rawValue: 0)
      if let summary = try? SessionFormat.decode(value.bytes, space: nowhere, name: "").summary {
        nameless.insert(summary.revision)
      } else {
        isPartLost = true
      }
      return
    }
    let summary = try? SessionFormat.decode(value.bytes, space: space, name: name).summary
    entries[RawSessionList.Key(space: space, name: name)] = summary.map { .revision($0.revision) } ?? .unreadable
  }
}

extension LMDBMetaPages {
  /// Each meta page that can be followed, the newest first, as if there were no other.
  static func readable(of file: LMDBDataFile) throws(StoreError) -> [LMDBMetaPages] {
    var found: [LMDBMeta] = []
    for offset in [0] + LMDBFormat.pageByteCounts {
      guard let meta = try LMDBMeta(of: file, at: UInt64(offset)), meta.magic == LMDBFormat.magic,
        meta.version == LMDBFormat.dataVersion, LMDBFormat.pageByteCounts.contains(meta.pageByteCount),
        meta.page == UInt64(offset) / UInt64(meta.pageByteCount), meta.page < LMDBFormat.metaPageCount
      else { continue }
      found.append(meta)
    }
    return found.sorted { $0.transactionID > $1.transactionID }.map { LMDBMetaPages(only: $0) }
  }
}
