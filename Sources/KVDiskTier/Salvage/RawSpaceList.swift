import KVBlocks

// Invariants: one record for each space id, the first that was found; a store writes a space's record once.

/// The spaces whose records were found, and those that blocks and sessions speak of.
struct RawSpaceList {
  /// A record in a run of pages that a leaf page leads to.
  struct Run: Hashable {
    var id: SpaceID
    var page: UInt64
    var byteCount: Int
  }

  /// No store gives this id.
  static let unknown = SpaceID(rawValue: 0)
  private static let runCountLimit = 1 << 16

  private(set) var records: [SpaceID: SpaceRecord] = [:]
  /// Records that say everything but their space's id, and where their pages begin in the file.
  private(set) var nameless: [(record: SpaceRecord, offset: UInt64)] = []
  private(set) var runs: Set<Run> = []

  mutating func append(_ record: SpaceRecord) {
    guard record.id != Self.unknown, record.id.rawValue < UInt32.max, records[record.id] == nil else { return }
    records[record.id] = record
  }

  mutating func append(_ record: SpaceRecord, page offset: UInt64) {
    guard nameless.count < Self.runCountLimit else { return }
    nameless.append((record, offset))
  }

  mutating func noteRun(_ run: Run) {
    guard runs.count < Self.runCountLimit else { return }
    runs.insert(run)
  }

  /// Gives records in runs of pages their ids: by the leaf page that leads there, else by the root that the space's
  /// sessions name.
  mutating func nameRuns(roots: [SpaceID: BlockHash]) {
    for (record, offset) in nameless {
      // The page size follows from the two.
      let owners = runs.filter {
        offset % $0.page == 0 && LMDBFormat.pageByteCounts.contains(Int(offset / $0.page))
      }
      for owner in owners { append(record.with(id: owner.id)) }
    }
    for (record, _) in nameless {
      for (id, root) in roots.sorted(by: { $0.key < $1.key }) where root == record.root && records[id] == nil {
        append(record.with(id: id))
        break
      }
    }
  }
}

extension SpaceRecord {
  func with(id: SpaceID) -> SpaceRecord { SpaceRecord(id: id, fingerprint: fingerprint, layout: layout, root: root) }
}
