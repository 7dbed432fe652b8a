import KVBlocks

/// Every session record that was found whole, of each session all revisions.
struct RawSessionList {
  struct Key: Hashable, Comparable {
    var space: SpaceID
    var name: String

    static func < (a: Key, b: Key) -> Bool {
      a.space != b.space ? a.space < b.space : a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
    }
  }

  /// One revision. Tokens and block table are read again when they are needed.
  struct Candidate {
    var revision: UInt64
    var updatedMicroseconds: UInt64
    var root: BlockHash
    var place: RawStoreScan.Place
    var byteCount: Int
  }

  /// What a record whose checksum fails still says of itself.
  private struct Damaged: Hashable {
    var space: SpaceID
    var revision: UInt64
    var name: String?
  }

  private(set) var candidates: [Key: [Candidate]] = [:]
  private var damaged: Set<Damaged> = []
  private static let candidateCountLimit = 1 << 24
  private static let damagedCountLimit = 1 << 20
  private var count = 0

  mutating func append(_ body: SessionBody, byteCount: Int, at place: RawStoreScan.Place) {
    let record = body.record
    // LMDB leaves copies of a record in pages that it frees.
    let key = Key(space: record.space, name: record.name)
    var known = candidates[key] ?? []
    guard count < Self.candidateCountLimit, (1...Keys.nameByteLimit).contains(record.name.utf8.count),
      !known.contains(where: { $0.revision == record.revision && $0.updatedMicroseconds == record.updatedMicroseconds })
    else { return }
    count += 1
    known.append(
      Candidate(
        revision: record.revision, updatedMicroseconds: record.updatedMicroseconds, root: body.root, place: place,
        byteCount: byteCount))
    candidates[key] = known
  }

  /// - Precondition: `bytes` has the fields of fixed place.
  mutating func noteDamaged(_ bytes: UnsafeRawBufferPointer) {
    guard damaged.count < Self.damagedCountLimit else { return }
    let fields = SessionBody.uncheckedFields(of: bytes)
    damaged.insert(Damaged(space: fields.space, revision: fields.revision, name: fields.name))
  }

  /// Records that may be losses: all but copies, and earlier states, of what was found whole.
  var damagedCount: Int {
    let whole = Set(candidates.flatMap { key, list in list.map { Damaged(space: key.space, revision: $0.revision) } })
    return damaged.count { record in
      if whole.contains(Damaged(space: record.space, revision: record.revision)) { return false }
      guard let name = record.name else { return true }
      return candidates[Key(space: record.space, name: name)]?.contains { $0.revision > record.revision } != true
    }
  }

  /// The newest first. What LMDB's table lists comes before all but what was committed after it.
  func inOrder(of key: Key, listed: UInt64?, lastRevision: UInt64) -> [Candidate] {
    func rank(_ candidate: Candidate) -> Int {
      candidate.revision > lastRevision ? 2 : candidate.revision == listed ? 1 : 0
    }
    return (candidates[key] ?? []).sorted { a, b in
      (rank(a), a.revision, a.updatedMicroseconds) > (rank(b), b.revision, b.updatedMicroseconds)
    }
  }

  /// The root that most records of a space name.
  var roots: [SpaceID: BlockHash] {
    var counts: [SpaceID: [BlockHash: Int]] = [:]
    for (key, list) in candidates {
      for candidate in list { counts[key.space, default: [:]][candidate.root, default: 0] += 1 }
    }
    return counts.compactMapValues { roots in
      roots.max { a, b in a.value != b.value ? a.value < b.value : a.key.words.0 > b.key.words.0 }?.key
    }
  }
}
