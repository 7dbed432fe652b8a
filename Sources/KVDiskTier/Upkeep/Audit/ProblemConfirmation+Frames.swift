import KVBlocks
import KVCodec
import SafeLMDB

/// The second look at frames, and at what sessions hold.
extension Tables {
  /// The frame that `owner` has now; nil for none, or none that can be known.
  func frame(of owner: FrameOwner, _ view: borrowing TransactionView) throws(StoreError) -> FrameReference? {
    do throws(StoreError) {
      switch owner {
      case .block(let key): return try blockHead(key, view)?.frame
      case .body(let key): return try sessionSummary(key.space, key.name, view)?.summary.body
      case .checkpoint(let key): return try sessionSummary(key.space, key.name, view)?.summary.checkpoint?.frame
      }
    } catch  where error.code == .damaged {
      return nil
    }
  }

  /// Two that claim one frame: the first of the answer is the one whose it is not.
  func sharedAgain(
    _ owner: FrameOwner, _ other: FrameOwner, _ frame: UInt64, _ view: borrowing TransactionView
  ) throws(StoreError) -> AuditProblem? {
    guard let claimed = try self.frame(of: owner, view), claimed.id == frame,
      let also = try self.frame(of: other, view), also.id == frame
    else { return nil }
    return try isNamed(owner, in: claimed, view)
      ? .sharedFrame(other, owner, frame: frame) : .sharedFrame(owner, other, frame: frame)
  }

  /// Whether a frame's header names the block that claims it. What no block claims has other ways to tell.
  private func isNamed(
    _ owner: FrameOwner, in frame: FrameReference, _ view: borrowing TransactionView
  ) throws(StoreError) -> Bool {
    do throws(StoreError) {
      let pieces = try pieces(of: frame, view)
      do throws(FrameError) {
        let header = try FrameHeader.parse(FramePieces(pieces))
        return header.kind == .block ? header.key == owner.block : owner.block == nil
      } catch {
        return owner.block == nil
      }
    } catch  where error.code == .damaged {
      return false
    }
  }

  func frameAgain(
    _ owner: FrameOwner, _ frame: FrameReference, _ view: borrowing TransactionView
  ) throws(StoreError) -> AuditProblem? {
    guard try self.frame(of: owner, view) == frame else { return nil }
    guard frame.byteCount > 0, frame.byteCount <= ExtentFormat.byteCountLimit else {
      return .incompleteFrame(owner, frame, found: 0)
    }
    var found = 0
    let count = ExtentFormat.pieceCount(of: frame.byteCount)
    let first = Keys.extent(frame: frame.id, piece: 0)
    try view.forEach(in: extents, from: first.span.bytes) { (key, _) throws(StoreError) in
      guard let key = Keys.extent(of: key), key.frame == frame.id, key.piece < count else { return false }
      found += 1
      return true
    }
    return found == count ? nil : .incompleteFrame(owner, frame, found: found)
  }

  /// Counts how often sessions hold `blocks`, in all sessions.
  func countedAnew(
    _ blocks: inout [BlockKey: UInt32], _ view: borrowing TransactionView
  ) throws(StoreError) -> [AuditProblem] {
    var areAllReadable = true
    try view.forEach(in: sessions) { (bytes, value) throws(StoreError) in
      guard let (space, name) = Keys.session(of: bytes) else {
        areAllReadable = false
        return true
      }
      do throws(StoreError) {
        let (summary, inline) = try SessionFormat.decode(value, space: space, name: name)
        for hash in try sessionBody(summary, inline: inline, view).record.blocks {
          if let position = blocks.index(forKey: BlockKey(space: space, hash: hash)) {
            blocks.values[position] &+= 1
          }
        }
      } catch  where error.code == .damaged {
        areAllReadable = false
      }
      return true
    }
    var problems: [AuditProblem] = []
    for (key, held) in blocks {
      guard let counted = try readableHead(key, view)?.sessionCount, counted != held, held > counted || areAllReadable
      else { continue }
      problems.append(.sessionCount(key, counted: counted, held: held))
    }
    return problems
  }

  /// Extents that are there still, and whose frames no session has. Blocks never take a frame over from another.
  func stillOrphaned(
    _ extents: [(frame: UInt64, piece: Int)], _ view: borrowing TransactionView
  ) throws(StoreError) -> [AuditProblem] {
    var ofSessions: [UInt64: Int] = [:]
    try view.forEach(in: sessions) { (bytes, value) throws(StoreError) in
      guard let (space, name) = Keys.session(of: bytes) else { return true }
      do throws(StoreError) {
        let summary = try SessionFormat.decode(value, space: space, name: name).summary
        for frame in [summary.body, summary.checkpoint?.frame].compactMap({ $0 }) where frame.id > 0 {
          ofSessions[frame.id] =
            frame.byteCount > 0 && frame.byteCount <= ExtentFormat.byteCountLimit
            ? ExtentFormat.pieceCount(of: frame.byteCount) : 0
        }
      } catch  where error.code == .damaged {
        return true
      }
      return true
    }
    var problems: [AuditProblem] = []
    for extent in extents where extent.piece >= ofSessions[extent.frame] ?? 0 {
      let key = Keys.extent(frame: extent.frame, piece: extent.piece)
      if try view.holds(key.span.bytes, in: self.extents) {
        problems.append(.orphanedExtent(frame: extent.frame, piece: extent.piece))
      }
    }
    return problems
  }
}
