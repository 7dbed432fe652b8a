/// What processes do, and did, with a store: read from the file `activity` beside its data. Advice, not a promise:
/// figures may be a moment old, and a damaged or deleted file begins anew.
package struct StoreActivity: Hashable, Sendable {
  /// Counts since a process opened the store, or since the file was made: blocks where nothing else is said.
  package struct Counters: Hashable, Sendable {
    /// Blocks that were asked for and found in RAM, found on disk, found nowhere.
    package var memoryHits: UInt64 = 0
    package var diskHits: UInt64 = 0
    package var misses: UInt64 = 0
    /// Blocks read from disk into frames.
    package var loads: UInt64 = 0
    /// Planes read from disk into the caller's memory, past the frames.
    package var planeReads: UInt64 = 0
    package var evictions: UInt64 = 0
    package var writeBacks: UInt64 = 0
    /// Bytes of the frames that were written to disk.
    package var bytesWritten: UInt64 = 0
    /// Transactions that wrote.
    package var transactions: UInt64 = 0
    /// Session operations that were committed: several may share a transaction.
    package var sessionCommits: UInt64 = 0
    /// Loads that found a block damaged.
    package var damagedLoads: UInt64 = 0
    /// Blocks that the quota deleted.
    package var quotaDeletions: UInt64 = 0

    package init() {}
  }

  /// One opening of the store by one process.
  package struct Process: Hashable, Sendable {
    package var processID: Int32
    /// The program's name as the system has it, cut to 32 bytes of UTF-8.
    package var name: String
    /// When it opened the store, microseconds since 1970.
    package var startedMicroseconds: UInt64
    /// When it told of itself last.
    package var updatedMicroseconds: UInt64
    /// False: it ended without closing the store. Its last figures stay here until another process opens the store.
    package var isAlive: Bool
    package var isReadOnly: Bool
    /// Bytes of the file at which this process deletes cached blocks; nil for no limit.
    package var quotaBytes: UInt64?
    package var usage: Usage
    package var counters: Counters
  }

  /// What a process holds in RAM now.
  package struct Usage: Hashable, Sendable {
    package var memoryBytes: UInt64 = 0
    package var memoryBudgetBytes: UInt64 = 0
    package var residentBlocks: UInt64 = 0
    package var pinnedBlocks: UInt64 = 0
    package var dirtyBlocks: UInt64 = 0

    package init() {}
  }

  /// When counting began: when the file was made.
  package var sinceMicroseconds: UInt64
  /// Everything that was counted: by processes that ended and by those listed.
  package var total: Counters
  /// Openings that ended and are no longer listed.
  package var endedCount: UInt64
  /// Those that have the store open, in the order of opening, 64 at most: of more, the youngest are counted in
  /// ``total`` when they close.
  package var processes: [Process]
}

extension StoreActivity.Process {
  package var memoryBytes: UInt64 { usage.memoryBytes }
  package var memoryBudgetBytes: UInt64 { usage.memoryBudgetBytes }
  package var residentBlocks: UInt64 { usage.residentBlocks }
  package var pinnedBlocks: UInt64 { usage.pinnedBlocks }
  package var dirtyBlocks: UInt64 { usage.dirtyBlocks }
}

extension StoreActivity.Counters {
  /// All counters by name, in the order in which the file holds them. New ones go to the end.
  package static var fields: [(name: String, path: WritableKeyPath<Self, UInt64>)] {
    [
      ("memoryHits", \.memoryHits), ("diskHits", \.diskHits), ("misses", \.misses), ("loads", \.loads),
      ("planeReads", \.planeReads), ("evictions", \.evictions), ("writeBacks", \.writeBacks),
      ("bytesWritten", \.bytesWritten), ("transactions", \.transactions), ("sessionCommits", \.sessionCommits),
      ("damagedLoads", \.damagedLoads), ("quotaDeletions", \.quotaDeletions),
    ]
  }

  /// Counts wrap rather than trap: a file may hold anything.
  package static func + (a: Self, b: Self) -> Self { combine(a, b) { $0 &+ $1 } }

  /// What was counted since `b`; 0 where the count began anew.
  package static func - (a: Self, b: Self) -> Self { combine(a, b) { $0 > $1 ? $0 - $1 : 0 } }

  private static func combine(_ a: Self, _ b: Self, _ operation: (UInt64, UInt64) -> UInt64) -> Self {
    var result = Self()
    for (_, path) in fields { result[keyPath: path] = operation(a[keyPath: path], b[keyPath: path]) }
    return result
  }
}
