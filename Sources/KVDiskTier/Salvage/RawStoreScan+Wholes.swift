import KVBlocks
import KVCodec

/// From pieces to wholes: frames and long session records.
extension RawStoreScan {
  mutating func assemble() throws(StoreError) {
    pieces.sort { ($0.frame, $0.index, $0.offset) < ($1.frame, $1.index, $1.offset) }
    var start = 0
    while start < pieces.count {
      var end = start
      while end < pieces.count, pieces[end].frame == pieces[start].frame { end += 1 }
      let group = complete(start..<end)
      if group.isEmpty {
        report.incompleteCount += 1
      } else {
        try examine(group)
      }
      start = end
    }
  }

  /// Where each piece's payload begins; empty where pieces are missing or say different things.
  private func complete(_ range: Range<Int>) -> [UInt64] {
    let count = pieces[range.lowerBound].count
    var offsets: [UInt64] = []
    for piece in pieces[range] {
      guard piece.count == count else { return [] }
      if Int(piece.index) == offsets.count { offsets.append(piece.offset) }
    }
    return offsets.count == Int(count) ? offsets : []
  }

  private mutating func examine(_ offsets: [UInt64]) throws(StoreError) {
    let pieceByteCount = ExtentFormat.fullPayloadByteCount
    let limit = min(offsets.count * pieceByteCount, Self.wholeByteCountLimit)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: limit, alignment: 64)
    defer { buffer.deallocate() }
    var count = 0
    for offset in offsets where count < limit {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[count..<min(count + pieceByteCount, limit)])
      let done = try file.read(into: room, at: offset)
      count += done
      // A short read belongs to the last piece or to a file that was cut.
      if done < room.count { break }
    }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    let magicEnd = SessionBody.magicOffset + SessionBody.magic.count
    if count >= magicEnd, bytes[SessionBody.magicOffset..<magicEnd].elementsEqual(SessionBody.magic) {
      note(bytes)
    } else {
      examineFrame(bytes)
    }
  }

  private mutating func examineFrame(_ bytes: UnsafeRawBufferPointer) {
    let header: FrameHeader
    do throws(FrameError) {
      header = try FrameHeader.parse(FramePieces([bytes]))
    } catch {
      report.unknownCount += 1
      return
    }
    let isWhole =
      header.frameByteCount <= bytes.count
      && header.planes.allSatisfy { plane in
        let end = plane.offset + plane.storedByteCount
        guard end <= bytes.count else { return false }
        return StoredChecksum.xxh3(UnsafeRawBufferPointer(rebasing: bytes[plane.offset..<end])) == plane.checksum
      }
    let isBlock = header.kind == .block && (header.descriptor.hasTrueHash)
    switch header.kind {
    case .block where isWhole && isBlock:
      wholeBlocks.insert(header.key)
      report.blocks.wholeCount += 1
      report.blocks.wholeByteCount += header.frameByteCount
    case .block:
      report.blocks.damagedCount += 1
    case .blob where isWhole:
      wholeCheckpoints.insert(header.key)
      report.checkpoints.wholeCount += 1
      report.checkpoints.wholeByteCount += header.frameByteCount
    case .blob:
      report.checkpoints.damagedCount += 1
    }
  }
}

extension BlockDescriptor {
  /// Whether the hash is that of what the frame says it was computed from.
  fileprivate var hasTrueHash: Bool {
    ChainHash.hash(parent: parent, tokens: tokens, encodedExtra: encodedExtra) == key.hash
  }
}
