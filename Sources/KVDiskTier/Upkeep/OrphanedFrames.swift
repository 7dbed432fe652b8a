import KVBlocks
import KVCodec
import SafeLMDB

/// What the extents of a frame hold, by what they say themselves.
enum FrameContent {
  case block(BlockKey)
  case checkpoint(SpaceID)
  case body(SessionKey, checkpoint: UInt64?)

  var space: SpaceID {
    switch self {
    case .block(let key): key.space
    case .checkpoint(let space): space
    case .body(let key, _): key.space
    }
  }
}

/// Frames that nothing refers to. Most are waste; some are all that is left of a block or a session whose record is
/// lost, and a repair brings those back.
struct OrphanedFrames {
  /// Extents that are nobody's.
  var waste: [(frame: UInt64, piece: Int)] = []
  /// Extents that a repair may need.
  var keptExtentCount = 0
}

extension Tables {
  /// The frame, or the session's body, that a first extent says that it begins; nil for anything else.
  func claimedFrame(_ id: UInt64, _ view: borrowing TransactionView) throws(StoreError) -> FrameReference? {
    let extent = Keys.extent(frame: id, piece: 0)
    guard let value = try view.read(extent.span.bytes, in: extents) else { return nil }
    let start = ExtentFormat.headerByteCount
    guard ExtentFormat.header(of: value)?.piece == 0, value.byteCount >= start + 24 else { return nil }
    // Both kinds have their size at offset 16.
    let claimed = Int(
      exactly: UInt64(littleEndian: value.unsafeLoadUnaligned(fromByteOffset: start + 16, as: UInt64.self)))
    guard let claimed, claimed > 0, claimed <= ExtentFormat.byteCountLimit else { return nil }
    return FrameReference(id: id, byteCount: claimed)
  }

  /// The session's body that a first extent begins; nil for anything else, and where it is not whole.
  func body(inFrame frame: FrameReference, _ view: borrowing TransactionView) throws(StoreError) -> SessionBody? {
    let start = ExtentFormat.headerByteCount + SessionBody.magicOffset
    let extent = Keys.extent(frame: frame.id, piece: 0)
    // Most are frames, and large.
    guard let value = try view.read(extent.span.bytes, in: extents),
      value.byteCount >= start + SessionBody.magic.count,
      value.extracting(start..<start + SessionBody.magic.count).copied == SessionBody.magic
    else { return nil }
    do throws(StoreError) {
      return try SessionBody.decode(try joined(frame, view))
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// Nil where a piece is missing, or a header or body cannot be read. Planes are not looked at.
  func content(ofFrame id: UInt64, _ view: borrowing TransactionView) throws(StoreError) -> FrameContent? {
    guard let frame = try claimedFrame(id, view) else { return nil }
    if let body = try body(inFrame: frame, view) {
      let session = SessionKey(space: body.record.space, name: body.record.name)
      return .body(session, checkpoint: body.checkpoint?.frame.id)
    }
    do throws(StoreError) {
      let header = try frameHeader(of: frame, view)
      return header.kind == .block ? .block(header.key) : .checkpoint(header.key.space)
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// What an extent says that it is, where that is another than its key says, and missing; nil for all others.
  func ownPlace(
    ofExtent frame: UInt64, _ piece: Int, _ view: borrowing TransactionView
  ) throws(StoreError) -> ExtentFormat.Header? {
    let key = Keys.extent(frame: frame, piece: piece)
    guard let value = try view.read(key.span.bytes, in: extents), let own = ExtentFormat.header(of: value),
      own.frame < ExtentFormat.frameIDLimit, own.frame != frame || own.piece != piece
    else { return nil }
    let ownKey = Keys.extent(frame: own.frame, piece: own.piece)
    return try view.holds(ownKey.span.bytes, in: extents) ? nil : own
  }

  /// Nil where a record cannot be read: any frame might be its own.
  func orphanedFrames(_ view: borrowing TransactionView) throws(StoreError) -> OrphanedFrames? {
    guard let known = try knownFrames(view) else { return nil }
    var orphans: [(frame: UInt64, piece: Int)] = []
    try view.forEach(in: extents) { (bytes, _) throws(StoreError) in
      if let extent = Keys.extent(of: bytes), !known.contains(extent.frame) { orphans.append(extent) }
      return true
    }
    var found = OrphanedFrames()
    var kept: Set<UInt64> = []
    for case (let frame, 0) in orphans {
      switch try content(ofFrame: frame, view) {
      case .block(let key)? where try readableHead(key, view) == nil: kept.insert(frame)
      case .body(let session, let checkpoint)? where try !isReadable(session, view):
        kept.insert(frame)
        if let checkpoint { kept.insert(checkpoint) }
      default: continue
      }
    }
    for orphan in orphans where !kept.contains(orphan.frame) {
      // A piece that a frame lacks.
      if let own = try ownPlace(ofExtent: orphan.frame, orphan.piece, view), known.contains(own.frame) { continue }
      found.waste.append(orphan)
    }
    found.keptExtentCount = orphans.count - found.waste.count
    return found
  }

  /// Frames that blocks, checkpoints and session bodies are in; nil where a record cannot be read.
  private func knownFrames(_ view: borrowing TransactionView) throws(StoreError) -> Set<UInt64>? {
    var known: Set<UInt64> = []
    do throws(StoreError) {
      try view.forEach(in: blocks) { (_, value) throws(StoreError) in
        known.insert(try BlockFormat.decodeHead(value).frame.id)
        return true
      }
      var damage: StoreError?
      for (summary, _) in try allSessions(view, damaged: { damage = $1 }) {
        known.insert(summary.body.id)
        if let checkpoint = summary.checkpoint { known.insert(checkpoint.frame.id) }
      }
      if let damage { throw damage }
    } catch  where error.code == .damaged {
      return nil
    }
    return known
  }
}
