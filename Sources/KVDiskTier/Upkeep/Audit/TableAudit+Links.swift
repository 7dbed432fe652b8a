import KVBlocks
import SafeLMDB

/// The links between blocks, and their extents.
extension TableAudit {
  mutating func readChildren() throws(StoreError) {
    try source.scan(tables.children, limit: Self.keyLimit, between: { () throws(StoreError) in try flush() }) {
      (_, bytes, _) throws(StoreError) in
      guard let child = Keys.child(of: bytes) else {
        problems.append(.strayKey(.children, bytes.copied))
        return
      }
      guard let position = index.position(of: child.hash, in: child.parent.space) else {
        problems.append(.strayChild(parent: child.parent, hash: child.hash))
        return
      }
      // Which parent an unreadable block has, nobody knows.
      guard !index.flags[position].contains(.unreadable) else { return }
      // The index keeps a part of the parent's hash; the rest is known where the parent is. Any doubt is confirmed.
      let isKnown =
        spaces[child.parent.space]?.root == child.parent.hash || index.position(of: child.parent) != nil
      if isKnown, index.parentWords[position] == child.parent.hash.words.0 {
        index.flags[position].insert(.listed)
      } else {
        problems.append(.strayChild(parent: child.parent, hash: child.hash))
      }
    }
  }

  mutating func readRecency() throws(StoreError) {
    try source.scan(tables.recency, limit: Self.keyLimit, between: { () throws(StoreError) in try flush() }) {
      (_, bytes, _) throws(StoreError) in
      guard let entry = Keys.recency(of: bytes) else {
        problems.append(.strayKey(.recency, bytes.copied))
        return
      }
      let position = index.position(of: entry.key)
      if let position, index.flags[position].contains(.unreadable) { return }
      if let position, index.lastUses[position] == entry.lastUse, index.sessionCounts[position] == 0 {
        index.flags[position].insert(.recent)
      } else {
        problems.append(.strayRecency(lastUse: entry.lastUse, entry.key))
      }
    }
  }

  /// What concerns each block alone, once all else was seen.
  mutating func checkBlocks() throws(StoreError) {
    for position in 0..<index.count where !index.flags[position].contains(.unreadable) {
      let (counted, held) = (index.sessionCounts[position], index.references[position])
      let key = index.key(position)
      // Sessions that cannot be read may hold the block too.
      if counted != held, held > counted || areAllSessionsReadable {
        problems.append(.sessionCount(key, counted: counted, held: held))
      }
      if let root = spaces[key.space]?.root, index.parentWords[position] != root.words.0,
        !index.holdsParent(of: position)
      {
        problems.append(.orphanedBlock(key))
      }
      if !index.flags[position].contains(.listed) { problems.append(.missingLink(.child, key)) }
      if counted == 0, !index.flags[position].contains(.recent) { problems.append(.missingLink(.recency, key)) }
      if problems.count >= Self.problemLimit { try flush() }
    }
    try flush()
  }

  /// Extents of no frame, and frames that lack some of theirs: both come by their frames' numbers.
  mutating func readExtents() throws(StoreError) {
    claims.sort { $0.id < $1.id }
    for next in claims.indices.dropFirst() where claims[next].id == claims[next - 1].id {
      let (first, second) = (claims[next - 1], claims[next])
      problems.append(.sharedFrame(owner(of: second), owner(of: first), frame: first.id))
    }
    let frameLimit = counters?.nextFrame ?? .max
    var offsets: MapOffsets?
    var (position, found) = (0, 0)
    func close(_ audit: inout TableAudit) {
      let claim = audit.claims[position]
      if !claim.isReadable || found != ExtentFormat.pieceCount(of: claim.byteCount) {
        audit.problems.append(.incompleteFrame(audit.owner(of: claim), claim.reference, found: found))
      }
      position += 1
      // A frame that several claim counts for each of them.
      if position < audit.claims.count, audit.claims[position].id != claim.id { found = 0 }
    }
    try source.scan(
      tables.extents, limit: Self.recordLimit,
      between: { () throws(StoreError) in
        offsets = nil
        try flush()
      }
    ) { (view, bytes, value) throws(StoreError) in
      guard let extent = Keys.extent(of: bytes) else {
        problems.append(.strayKey(.extents, bytes.copied))
        return
      }
      while position < claims.count, claims[position].id < extent.frame { close(&self) }
      guard position < claims.count, claims[position].id == extent.frame, claims[position].isReadable,
        extent.piece < ExtentFormat.pieceCount(of: claims[position].byteCount)
      else {
        // Frames that were put meanwhile have owners that were not seen.
        guard extent.frame < frameLimit || source.isOneSnapshot, isEveryFrameKnown || reportsEveryOrphan else { return }
        problems.append(.orphanedExtent(frame: extent.frame, piece: extent.piece))
        if source.isOneSnapshot { greatest.nextFrame = max(greatest.nextFrame, extent.frame) }
        return
      }
      found += 1
      guard extent.piece == 0 else { return }
      if offsets == nil { offsets = view.mapOffsets() }
      let offset = value.withUnsafeBytes { $0.baseAddress.flatMap { offsets?.offset(of: $0) } }
      claims[position].offset = offset ?? .max
    }
    while position < claims.count { close(&self) }
  }
}
