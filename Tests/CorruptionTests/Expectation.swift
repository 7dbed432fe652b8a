import Foundation
import KVBlocks

@testable import KVDiskTier

/// What follows from what was hit: computed from the field map and the bytes that differ.
struct Expectation {
  /// All bytes that differ mean nothing: the store is sound.
  private(set) var isHarmless = true
  /// It must not be called sound.
  private(set) var isFindable = false
  /// LMDB's structure, or bytes of which nothing can be said, are hit.
  private(set) var hitsStructure = false
  /// LMDB's pages are as they were, all but what lies in them.
  private(set) var arePagesWhole = true
  /// Records and frames that are hit, and what findings of them are called.
  private(set) var objects: [FieldMap.Owner: Set<String>] = [:]
  /// Sessions that must come back as they were.
  private(set) var wholeSessions: Set<SessionKey> = []
  /// LMDB's pages are as they were: what was deleted stays deleted.
  var isTreeWhole: Bool { !hitsStructure }
  private(set) var touchedBlocks: Set<BlockKey> = []

  init(_ damaged: [UInt8], _ fields: FieldMap, _ store: WholeStore) {
    let changes = Self.changes(damaged, store.bytes)
    for change in changes where change.lowerBound < damaged.count {
      for offset in change { note(fields.rule(at: offset)) }
    }
    if damaged.count < store.bytes.count {
      // Every used page must be there whole.
      for page in damaged.count / PageMap.pageByteCount..<fields.map.uses.count {
        switch fields.map.uses[page] {
        case .free, .unused: continue
        default: note(.structure)
        }
      }
    }
    if damaged.count < 2 * PageMap.pageByteCount { note(.structure) }
    settleSessions(changes, fields, store)
  }

  /// Where the bytes differ; what is cut off differs.
  private static func changes(_ damaged: [UInt8], _ whole: [UInt8]) -> [Range<Int>] {
    var changes: [Range<Int>] = []
    let page = PageMap.pageByteCount
    for start in stride(from: 0, to: min(damaged.count, whole.count), by: page) {
      let end = min(start + page, damaged.count, whole.count)
      let isEqual = damaged.withUnsafeBytes { a in
        whole.withUnsafeBytes { b in memcmp(a.baseAddress! + start, b.baseAddress! + start, end - start) == 0 }
      }
      guard !isEqual else { continue }
      for offset in start..<end where damaged[offset] != whole[offset] {
        if let last = changes.last, last.upperBound == offset {
          changes[changes.count - 1] = last.lowerBound..<offset + 1
        } else {
          changes.append(offset..<offset + 1)
        }
      }
    }
    if damaged.count < whole.count { changes.append(damaged.count..<whole.count) }
    return changes
  }

  private mutating func note(_ rule: FieldMap.Rule) {
    switch rule {
    case .ignored: return
    case .open: (isHarmless, hitsStructure, arePagesWhole) = (false, true, false)
    case .structure: (isHarmless, isFindable, hitsStructure, arePagesWhole) = (false, true, true, false)
    case .key: (isHarmless, isFindable, hitsStructure) = (false, true, true)
    case .object(let kinds, let owner):
      (isHarmless, isFindable) = (false, true)
      objects[owner] = kinds.union(objects[owner] ?? [])
      if case .block(let key) = owner { touchedBlocks.insert(key) }
    }
  }

  // MARK: What salvage must bring back

  private mutating func settleSessions(_ changes: [Range<Int>], _ fields: FieldMap, _ store: WholeStore) {
    func isWhole(_ ranges: [Range<Int>]?) -> Bool {
      guard let ranges else { return false }
      return ranges.allSatisfy { range in
        // The changes are in order: the first that ends behind the range's begin decides.
        var (low, high) = (0, changes.count)
        while low < high {
          let middle = (low + high) / 2
          if changes[middle].upperBound <= range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low == changes.count || !changes[low].overlaps(range)
      }
    }
    var wholeFrames: [BlockKey: Bool] = [:]
    for (key, frame) in fields.blockFrames { wholeFrames[key] = isWhole(fields.frameRanges[frame]) }
    for (key, state) in store.live {
      guard isWhole(fields.sessionRanges[key]) else { continue }
      guard state.record.blocks.allSatisfy({ wholeFrames[BlockKey(space: key.space, hash: $0)] == true }) else {
        continue
      }
      if let checkpoint = fields.checkpointFrames[key], !isWhole(fields.frameRanges[checkpoint]) { continue }
      // A space without its record is known by its blocks.
      guard
        isWhole(fields.spaceRanges[key.space]) || wholeFrames.contains(where: { $0.key.space == key.space && $0.value })
      else { continue }
      wholeSessions.insert(key)
    }
  }
}
