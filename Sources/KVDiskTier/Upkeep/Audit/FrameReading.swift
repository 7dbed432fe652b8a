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

/// Finds frames by what their owners' records say, and reads them whole.
struct FrameReading {
  let tables: Tables
  let spaces: [SpaceID: SpaceRecord]

  /// Nil where the owner is gone, has no frame, or no readable record.
  func frame(
    of owner: FrameOwner, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> FoundFrame? {
    guard let key = owner.block else {
      guard let frame = try tables.frame(of: owner, TransactionView(transaction)), frame.id != 0 else { return nil }
      return try find(owner, frame, nil, transaction)
    }
    guard let value = try transaction.read(Keys.block(key).span.bytes, in: tables.blocks) else { return nil }
    let record: BlockRecord
    do throws(StoreError) {
      record = try BlockFormat.decode(value, key: key)
    } catch  where error.code == .damaged {
      return nil
    }
    let expected = FrameExpectation(
      key: key, parentWord: record.parent.words.0,
      tokenDigest: record.tokens.withUnsafeBytes { StoredChecksum.xxh3($0) }, frameByteCount: record.frame.byteCount,
      checksum: record.frameChecksum)
    return try find(owner, record.frame, expected, transaction)
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

  /// Reads a frame whole; nil: it is sound.
  func problem(
    of found: FoundFrame, _ offsets: MapOffsets?, _ transaction: borrowing some TableReading & ~Copyable,
    _ decoder: inout BlockDecoder
  ) throws(StoreError) -> AuditProblem? {
    func damaged(_ message: String) -> AuditProblem { .damagedFrame(found.owner, found.frame, message) }
    if let message = found.message { return damaged(message) }
    switch found.owner {
    case .block(let key):
      guard let space = spaces[key.space], let expected = found.expected else { return nil }
      do throws(FrameError) {
        try decoder.verify(FramePieces(found.pieces), layout: space.layout, expecting: expected)
      } catch {
        return damaged(error.message)
      }
    case .body: break  // Its checksum was verified with its record.
    case .checkpoint(let session):
      if let message = try checkpointProblem(of: found, session, transaction, &decoder) { return damaged(message) }
    }
    return Self.headerProblem(of: found, offsets)
  }

  /// Each extent says itself what it is, and LMDB's header before it says how many pages it may free.
  static func headerProblem(of found: FoundFrame, _ offsets: MapOffsets?) -> AuditProblem? {
    var wrong: [Int] = []
    for (index, piece) in found.pieces.enumerated() {
      guard let payload = piece.baseAddress else { continue }
      let value = payload - ExtentFormat.headerByteCount
      let bytes = UnsafeRawBufferPointer(start: value, count: ExtentFormat.headerByteCount)
      let wanted = ExtentFormat.Header(piece: index, pieceCount: found.pieces.count, frame: found.frame.id)
      if ExtentFormat.header(of: RawSpan(_unsafeBytes: bytes)) != wanted { wrong.append(index) }
      let run = value - LMDBRunHeader.byteCount
      guard let offsets, let offset = offsets.offset(of: run) else { continue }
      let page = UInt64(offset / offsets.pageByteCount)
      let isExact = LMDBRunHeader(UnsafeRawBufferPointer(start: run, count: LMDBRunHeader.byteCount)).isExact(
        page: page, valueByteCount: ExtentFormat.valueByteCount(ofPiece: index, of: found.frame.byteCount),
        pageByteCount: offsets.pageByteCount)
      if !isExact { return .pageHeader(found.owner, page: page) }
    }
    return wrong.isEmpty ? nil : .extentHeaders(found.owner, found.frame, pieces: wrong)
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
