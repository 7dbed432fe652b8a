import KVBlocks
import KVCodec

/// From pieces to wholes: frames and long session records.
extension RawStoreScan {
  /// Combinations of pieces that are tried where several claim one place in a frame.
  private static let attemptCountLimit = 64
  private static let progressPieceCount = 256

  mutating func assemble() throws(StoreError) {
    pieces.sort { ($0.frame, $0.index, $0.offset) < ($1.frame, $1.index, $1.offset) }
    let (count, total) = (pieces.count, UInt64(pieces.count) * UInt64(ExtentFormat.runByteCount))
    var start = 0
    var shown = 0
    while start < count {
      var end = start
      while end < count, pieces[end].frame == pieces[start].frame { end += 1 }
      try assemble(start..<end)
      if end / Self.progressPieceCount != shown {
        shown = end / Self.progressPieceCount
        progress(
          SalvageProgress(
            .checking, doneByteCount: UInt64(end) * UInt64(ExtentFormat.runByteCount), totalByteCount: total))
      }
      start = end
    }
  }

  /// All pieces that carry one frame's id. After a crash two frames may have had it, and a page that was written to
  /// the wrong place makes a piece twice.
  private mutating func assemble(_ range: Range<Int>) throws(StoreError) {
    // Nearly always: each piece once.
    if isComplete(range) {
      _ = try examine(range, isLastAttempt: true)
      return
    }
    var foundWhole = false
    for count in Set(range.map { pieces[$0].count }).sorted() {
      let choices = (0..<Int(count)).map { index in
        range.filter { pieces[$0].count == count && Int(pieces[$0].index) == index }
      }
      guard choices.allSatisfy({ !$0.isEmpty }) else { continue }
      for attempt in Self.attempts(choices.map(\.count)) {
        let chosen = zip(choices, attempt).map { pieces[$0[$1]] }
        let first = pieces.count
        pieces += chosen
        if try examine(first..<pieces.count, isLastAttempt: false) {
          foundWhole = true
        } else {
          pieces.removeLast(chosen.count)
        }
      }
    }
    guard !foundWhole else { return }
    report.incompleteCount += 1
    for index in range where pieces[index].index == 0 { try noteHeader(index) }
  }

  private func isComplete(_ range: Range<Int>) -> Bool {
    range.count == Int(pieces[range.lowerBound].count)
      && range.allSatisfy {
        Int(pieces[$0].index) == $0 - range.lowerBound && pieces[$0].count == pieces[range.lowerBound].count
      }
  }

  /// Which piece to take for each place: the first of each, then one place at a time another.
  private static func attempts(_ counts: [Int]) -> [[Int]] {
    var attempts = [counts.map { _ in 0 }]
    for (place, count) in counts.enumerated() where count > 1 {
      for choice in 1..<count {
        guard attempts.count < attemptCountLimit else { return attempts }
        var attempt = attempts[0]
        attempt[place] = choice
        attempts.append(attempt)
      }
    }
    return attempts
  }

  /// Whether the pieces make a whole, which is noted then; what is none is noted on the last attempt.
  private mutating func examine(_ range: Range<Int>, isLastAttempt: Bool) throws(StoreError) -> Bool {
    let expected = byteCount(of: range)
    let most = min(range.count * ExtentFormat.fullPayloadByteCount, Self.wholeByteCountLimit)
    // LMDB's own header tells the last piece's size, if it is not damaged itself.
    if expected < most, try examine(range, byteCount: expected, isLastAttempt: false) { return true }
    return try examine(range, byteCount: most, isLastAttempt: isLastAttempt)
  }

  private func byteCount(of range: Range<Int>) -> Int {
    let last = Int(pieces[range.upperBound - 1].payloadByteCount)
    return min((range.count - 1) * ExtentFormat.fullPayloadByteCount + last, Self.wholeByteCountLimit)
  }

  private mutating func examine(
    _ range: Range<Int>, byteCount: Int, isLastAttempt: Bool
  ) throws(StoreError) -> Bool {
    let buffer = scratch.bytes(byteCount)
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<(try read(pieces[range], into: buffer))])
    let magic = SessionBody.magic
    if bytes.count >= SessionBody.leastByteCount,
      bytes[SessionBody.magicOffset..<SessionBody.magicOffset + magic.count].elementsEqual(magic)
    {
      let isWhole = note(bytes, at: .pieces(first: range.lowerBound, count: range.count))
      if !isWhole, isLastAttempt { sessions.noteDamaged(bytes) }
      return isWhole
    }
    return examineFrame(bytes, range, isLastAttempt: isLastAttempt)
  }

  /// Fills `buffer` with what follows the pieces' headers, to the end of the last or of the file.
  func read(_ pieces: ArraySlice<Piece>, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
    var count = 0
    for piece in pieces where count < buffer.count {
      let end = min(count + ExtentFormat.fullPayloadByteCount, buffer.count)
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[count..<end])
      let done = try file.read(into: room, at: piece.offset)
      count += done
      // A short read belongs to the last piece or to a file that was cut.
      if done < room.count { break }
    }
    return count
  }

  private mutating func examineFrame(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isLastAttempt: Bool
  ) -> Bool {
    let header: FrameHeader
    do throws(FrameError) {
      header = try FrameHeader.parse(FramePieces([bytes]))
    } catch {
      if isLastAttempt { report.unknownCount += 1 }
      return false
    }
    let isWhole = header.isWhole(in: bytes)
    guard isWhole || isLastAttempt else { return false }
    switch header.kind {
    case .block:
      noteBlock(header, first: range.lowerBound, count: range.count, isWhole: isWhole)
    case .blob where isWhole:
      report.checkpoints.wholeCount += 1
      report.checkpoints.wholeByteCount += header.frameByteCount
      checkpoints[header.key] = RawCheckpoint(
        place: .pieces(first: range.lowerBound, count: range.count), frameByteCount: header.frameByteCount,
        rawByteCount: header.rawByteCount)
    case .blob:
      report.checkpoints.damagedCount += 1
    }
    return isWhole
  }

  /// A block whose later pieces are gone: its first one still tells that this, and no older frame, was the block.
  private mutating func noteHeader(_ index: Int) throws(StoreError) {
    let buffer = scratch.bytes(ExtentFormat.fullPayloadByteCount)
    let count = try read(pieces[index...index], into: buffer)
    guard
      let header = try? FrameHeader.parse(FramePieces([UnsafeRawBufferPointer(rebasing: buffer[..<count])])),
      header.kind == .block
    else { return }
    noteBlock(header, first: index, count: 0, isWhole: false)
  }

  private mutating func noteBlock(_ header: FrameHeader, first: Int, count: Int, isWhole: Bool) {
    guard let layout = try? header.layout() else { return }
    let isTrue = isWhole && header.descriptor.hasTrueHash
    blocks.append(
      RawBlockIndex.Block(
        key: header.key, parent: header.parent, frame: pieces[first].frame, firstPiece: UInt32(first),
        pieceCount: UInt16(count), isWhole: isTrue, frameByteCount: header.frameByteCount,
        layout: blocks.number(of: layout)))
    if count == 0 { return }
    if isTrue {
      report.blocks.wholeCount += 1
      report.blocks.wholeByteCount += header.frameByteCount
    } else {
      report.blocks.damagedCount += 1
    }
  }
}

extension FrameHeader {
  /// Whether the frame that begins with this header lies in `bytes` with every checksum right.
  func isWhole(in bytes: UnsafeRawBufferPointer) -> Bool {
    frameByteCount <= bytes.count
      && planes.allSatisfy { plane in
        let end = plane.offset + plane.storedByteCount
        guard end <= bytes.count else { return false }
        return StoredChecksum.xxh3(UnsafeRawBufferPointer(rebasing: bytes[plane.offset..<end])) == plane.checksum
      }
  }
}

extension BlockDescriptor {
  /// Whether the hash is that of what the frame says it was computed from.
  var hasTrueHash: Bool {
    ChainHash.hash(parent: parent, tokens: tokens, encodedExtra: encodedExtra) == key.hash
  }
}
