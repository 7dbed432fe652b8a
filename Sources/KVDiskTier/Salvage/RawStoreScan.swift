import KVBlocks
import KVCodec

// Invariants: memory is bounded by the file: 24 bytes for each extent found, one whole of at most
// `wholeByteCountLimit` bytes at a time, and the sessions' own records. No length is believed before the pieces that
// make it up were found.

/// Reads a store's file from one end to the other and finds extents by their magic, whatever became of LMDB's trees.
package struct RawStoreScan: ~Copyable {
  /// An extent that was found: where its payload begins.
  struct Piece {
    var frame: UInt64
    var offset: UInt64
    var index: UInt16
    var count: UInt16
  }

  /// A session's record as found, with what it takes to tell whether all of it is there.
  struct FoundSession {
    var body: SessionBody
  }

  static let wholeByteCountLimit = 1 << 30
  private static let readByteCount = 1 << 20

  let file: LMDBDataFile
  let fileByteCount: UInt64
  var report = RawStoreReport()
  var pieces: [Piece] = []
  var wholeBlocks: Set<BlockKey> = []
  var wholeCheckpoints: Set<BlockKey> = []
  var sessions: [SessionKey: FoundSession] = [:]

  struct SessionKey: Hashable {
    var space: SpaceID
    var name: String
  }

  /// Scans the data file, or the one in directory `path`. - Throws: where it cannot be read at all.
  package static func scan(path: String) throws(StoreError) -> RawStoreReport {
    let file = try LMDBDataFile(path: path)
    var scan = RawStoreScan(file: file, fileByteCount: try file.byteCount())
    try scan.findPieces()
    try scan.assemble()
    scan.settleSessions()
    return scan.report
  }

  private init(file: LMDBDataFile, fileByteCount: UInt64) {
    self.file = file
    self.fileByteCount = fileByteCount
    report.fileByteCount = fileByteCount
  }

  /// One pass over the file: extents at pages' beginnings, short sessions anywhere.
  private mutating func findPieces() throws(StoreError) {
    let pageByteCount = ExtentFormat.pageByteCount
    let headerEnd = ExtentFormat.pageHeaderByteCount + ExtentFormat.headerByteCount
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.readByteCount + pageByteCount, alignment: 16)
    defer { buffer.deallocate() }
    var offset: UInt64 = 0
    while offset < fileByteCount {
      // A page more than the step, so that a record which begins in this part is seen whole.
      let count = try file.read(into: buffer, at: offset)
      guard count > 0 else { break }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      for page in stride(from: 0, to: min(count, Self.readByteCount), by: pageByteCount) where page + headerEnd <= count
      {
        notePiece(bytes, page: page, at: offset)
      }
      noteShortSessions(bytes)
      offset += UInt64(Self.readByteCount)
    }
    report.extentCount = pieces.count
  }

  private mutating func notePiece(_ bytes: UnsafeRawBufferPointer, page: Int, at offset: UInt64) {
    let start = page + ExtentFormat.pageHeaderByteCount
    guard bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self).littleEndian == ExtentFormat.magic else { return }
    let value = UnsafeRawBufferPointer(rebasing: bytes[start..<start + ExtentFormat.headerByteCount])
    guard let header = ExtentFormat.header(of: value.bytes), header.piece < header.pieceCount else { return }
    pieces.append(
      Piece(
        frame: header.frame, offset: offset + UInt64(start + ExtentFormat.headerByteCount),
        index: UInt16(header.piece), count: UInt16(header.pieceCount)))
  }

  /// Sessions short enough to lie in a leaf page have no extent of their own.
  private mutating func noteShortSessions(_ bytes: UnsafeRawBufferPointer) {
    let magic = SessionBody.magic
    var offset = SessionBody.magicOffset
    while offset + magic.count <= bytes.count, offset < Self.readByteCount + SessionBody.magicOffset {
      defer { offset += 1 }
      guard bytes[offset] == magic[0], bytes[offset..<offset + magic.count].elementsEqual(magic) else { continue }
      let body = UnsafeRawBufferPointer(rebasing: bytes[(offset - SessionBody.magicOffset)...])
      guard body.count >= SessionBody.leastByteCount else { continue }
      let byteCount = body.loadUnaligned(fromByteOffset: SessionBody.byteCountOffset, as: UInt64.self).littleEndian
      // A longer one lies in extents.
      guard byteCount <= SessionFormat.inlineByteLimit else { continue }
      note(body)
    }
  }

  /// A session's record, or something that claims to be one.
  mutating func note(_ bytes: UnsafeRawBufferPointer) {
    do throws(StoreError) {
      let body = try SessionBody.decode(bytes.bytes)
      let key = SessionKey(space: body.record.space, name: body.record.name)
      if let known = sessions[key], known.body.record.revision >= body.record.revision { return }
      sessions[key] = FoundSession(body: body)
    } catch {
      report.damagedSessionCount += 1
    }
  }

  private mutating func settleSessions() {
    let order = sessions.keys.sorted { ($0.space.rawValue, $0.name) < ($1.space.rawValue, $1.name) }
    for key in order {
      guard let body = sessions[key]?.body else { continue }
      let record = body.record
      let missing = record.blocks.count { !wholeBlocks.contains(BlockKey(space: record.space, hash: $0)) }
      let lacksCheckpoint =
        body.checkpoint != nil
        && !wholeCheckpoints.contains(BlockKey(space: record.space, hash: body.checkpointIdentifier))
      report.sessions.append(
        RawStoreReport.Session(
          space: record.space, name: record.name, revision: record.revision, tokenCount: record.tokens.count,
          blockCount: record.blocks.count, missingBlockCount: missing, lacksCheckpoint: lacksCheckpoint))
    }
  }
}
