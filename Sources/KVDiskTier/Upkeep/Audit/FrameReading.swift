import KVBlocks
import KVCodec
import SafeLMDB

/// One owner's frame as it lies in the map. Never outlives its transaction.
struct FoundFrame {
  var owner: FrameOwner
  var frame: FrameReference
  /// What its block's record says; nil for a session's.
  var expected: FrameExpectation?
  var pieces: [UnsafeRawBufferPointer]
  /// Where pieces are missing or too short.
  var message: String?
}

/// Finds frames, and reads them whole.
struct FrameReading {
  let tables: Tables
  let spaces: [SpaceID: SpaceRecord]

  /// Nil where the block is gone, or has no readable record.
  func block(
    _ key: BlockKey, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> FoundFrame? {
    guard let value = try transaction.read(Keys.block(key).span.bytes, in: tables.blocks) else { return nil }
    let expected: FrameExpectation
    let frame: FrameReference
    do throws(StoreError) {
      (expected, frame) = try BlockFormat.expectation(value, key: key)
    } catch  where error.code == .damaged {
      return nil
    }
    return try find(.block(key), frame, expected, transaction)
  }

  /// A session's body or checkpoint; nil where it is gone.
  func part(
    _ owner: FrameOwner, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> FoundFrame? {
    guard let frame = try tables.frame(of: owner, TransactionView(transaction)), frame.id != 0 else { return nil }
    return try find(owner, frame, nil, transaction)
  }

  private func find(
    _ owner: FrameOwner, _ frame: FrameReference, _ expected: FrameExpectation?,
    _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> FoundFrame {
    do throws(StoreError) {
      return FoundFrame(
        owner: owner, frame: frame, expected: expected, pieces: try tables.pieces(of: frame, transaction))
    } catch  where error.code == .damaged {
      return FoundFrame(owner: owner, frame: frame, expected: expected, pieces: [], message: error.message)
    }
  }

  /// Frames that lie one behind the other are read ahead as one.
  func readAhead(_ frames: [FoundFrame?], _ transaction: borrowing ReadTransaction) {
    var (low, high) = (UInt.max, UInt.min)
    var byteCount = 0
    for case let frame? in frames {
      for piece in frame.pieces {
        let start = UInt(bitPattern: piece.baseAddress)
        (low, high) = (min(low, start), max(high, start + UInt(piece.count)))
        byteCount += piece.count
      }
    }
    guard byteCount > 0 else { return }
    if high - low <= UInt(2 * byteCount) {
      transaction.readAhead([
        UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: low), count: Int(high - low))
      ])
    } else {
      for case let frame? in frames { transaction.readAhead(frame.pieces) }
    }
  }

  /// Reads a frame whole; nil: it is sound.
  func problem(
    of found: FoundFrame, _ offsets: MapOffsets?, _ transaction: borrowing some TableReading & ~Copyable,
    _ decoder: inout BlockDecoder
  ) throws(StoreError) -> AuditProblem? {
    func damaged(_ message: String) -> AuditProblem { .damagedFrame(found.owner, found.frame, message) }
    if let message = found.message { return damaged(message) }
    if let message = extentProblem(of: found, offsets) { return damaged(message) }
    switch found.owner {
    case .block(let key):
      guard let space = spaces[key.space], let expected = found.expected else { return nil }
      do throws(FrameError) {
        try decoder.verify(FramePieces(found.pieces), layout: space.layout, expecting: expected)
        return nil
      } catch {
        return damaged(error.message)
      }
    case .body:
      // Its checksum was verified with its record.
      return nil
    case .checkpoint(let session):
      return try checkpointProblem(of: found, session, transaction, &decoder).map(damaged)
    }
  }

  /// Each extent says itself what it is, and LMDB's header before it says how many pages it may free.
  private func extentProblem(of found: FoundFrame, _ offsets: MapOffsets?) -> String? {
    for (index, piece) in found.pieces.enumerated() {
      guard let payload = piece.baseAddress else { continue }
      let value = payload - ExtentFormat.headerByteCount
      let header = RawSpan(
        _unsafeBytes: UnsafeRawBufferPointer(start: value, count: ExtentFormat.headerByteCount))
      let wanted = ExtentFormat.Header(piece: index, pieceCount: found.pieces.count, frame: found.frame.id)
      guard ExtentFormat.header(of: header) == wanted else {
        return "piece \(index) of \(found.pieces.count) says that it is another"
      }
      let run = value - LMDBRunHeader.byteCount
      guard let offsets, let offset = offsets.offset(of: run) else { continue }
      let isExact = LMDBRunHeader(UnsafeRawBufferPointer(start: run, count: LMDBRunHeader.byteCount)).isExact(
        page: UInt64(offset / offsets.pageByteCount),
        valueByteCount: ExtentFormat.valueByteCount(ofPiece: index, of: found.frame.byteCount),
        pageByteCount: offsets.pageByteCount)
      if !isExact { return "the header of LMDB's page \(offset / offsets.pageByteCount), which holds it, is damaged" }
    }
    return nil
  }

  private func checkpointProblem(
    of found: FoundFrame, _ session: SessionKey, _ transaction: borrowing some TableReading & ~Copyable,
    _ decoder: inout BlockDecoder
  ) throws(StoreError) -> String? {
    guard let (summary, inline) = try tables.sessionSummary(session.space, session.name, transaction),
      let checkpoint = summary.checkpoint
    else { return nil }
    let body: SessionBody
    do throws(StoreError) {
      body = try tables.sessionBody(summary, inline: inline, transaction)
    } catch  where error.code == .damaged {
      return nil
    }
    do throws(FrameError) {
      let bytes = try decoder.decodeBlob(
        FramePieces(found.pieces), expecting: BlockKey(space: session.space, hash: body.checkpointIdentifier),
        byteCountLimit: min(checkpoint.byteCount, BlockLayout.frameByteCountLimit))
      guard bytes.count == checkpoint.byteCount else {
        return "it has \(bytes.count) bytes, its session says \(checkpoint.byteCount)"
      }
      return ChainHash.sha256(bytes) == body.checkpointIdentifier ? nil : "its bytes have another digest"
    } catch {
      return error.message
    }
  }
}

extension BlockFormat {
  private static let tokensOffset = 92
  private static let extraByteCountOffset = 84

  /// What a record says of its frame, where it lies: valid as long as `bytes`. Nothing is allocated.
  static func expectation(
    _ bytes: RawSpan, key: BlockKey
  ) throws(StoreError) -> (FrameExpectation, FrameReference) {
    let head = try decodeHead(bytes)
    let extraByteCount = Int(
      UInt32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: extraByteCountOffset, as: UInt32.self)))
    let extraAt = tokensOffset + 4 * head.tokenCount
    guard extraAt + extraByteCount <= bytes.byteCount else {
      throw .damagedRecord("block", "\(head.tokenCount) tokens and \(extraByteCount) bytes of extra keys")
    }
    let expected = bytes.withUnsafeBytes { raw in
      FrameExpectation(
        key: key, parent: head.parent,
        tokens: UnsafeRawBufferPointer(rebasing: raw[tokensOffset..<extraAt]),
        encodedExtra: UnsafeRawBufferPointer(rebasing: raw[extraAt..<extraAt + extraByteCount]),
        frameByteCount: head.frame.byteCount, checksum: head.frameChecksum)
    }
    return (expected, head.frame)
  }
}
