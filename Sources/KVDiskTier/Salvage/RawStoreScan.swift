import KVBlocks
import KVCodec

// Invariants: memory is bounded by the file: 24 bytes for each extent found, about 110 for each block and 16 for each
// block's record, one frame at a time, one session's body at a time, the names of sessions. No length is believed
// before the bytes that make it up were found, and time is linear in the file: it is read twice.

/// Reads a store's file from one end to the other and finds what it holds by marks and checksums alone, whatever became
/// of LMDB's trees. A file keeps remains of what was deleted or replaced until it writes over them: of those the newest
/// that is whole is taken, and LMDB's table of sessions is asked, where it can be read, which sessions were deleted.
package struct RawStoreScan {
  /// An extent that was found: where its payload begins.
  struct Piece {
    var frame: UInt64
    var offset: UInt64
    var index: UInt16
    var count: UInt16
    /// Bytes behind the header, by LMDB's count of the run's pages; the most there can be where that is none.
    var payloadByteCount: UInt32
  }

  /// Where the bytes of a whole lie: in pieces, or one after the other.
  enum Place {
    case pieces(first: Int, count: Int)
    case bytes(at: UInt64)
  }

  static let wholeByteCountLimit = 1 << 32
  static let readByteCount = 1 << 20
  /// What lies in a leaf page is shorter, whatever LMDB's page size.
  static let leafByteCountLimit = 1 << 16

  let file: LMDBDataFile
  let fileByteCount: UInt64
  let progress: (SalvageProgress) -> Void
  package var report = RawStoreReport()
  var pieces: [Piece] = []
  var blocks = RawBlockIndex()
  var checkpoints: [BlockKey: RawCheckpoint] = [:]
  var sessions = RawSessionList()
  var spaces = RawSpaceList()
  /// What comes back, once all is settled.
  var chosenSpaces: [SpaceID: SpaceRecord] = [:]
  var chosenSessions: [ChosenSession] = []
  /// Where block records lie in leaf pages: the values, each sealed.
  var blockRecords: [(offset: UInt64, byteCount: Int)] = []
  let scratch = RawScratch()

  /// A checkpoint's frame, whole.
  struct RawCheckpoint {
    var place: Place
    var frameByteCount: Int
    var rawByteCount: Int
  }

  /// Scans the data file, or the one in directory `path`. - Throws: where it cannot be read at all.
  package static func scan(path: String) throws(StoreError) -> RawStoreReport {
    try scan(path: path, options: SalvageOptions()).report
  }

  /// Reads the whole file and settles what comes back under `options`.
  package static func scan(
    path: String, options: SalvageOptions, progress: @escaping (SalvageProgress) -> Void = { _ in }
  ) throws(StoreError) -> RawStoreScan {
    let file = try LMDBDataFile(path: path)
    var scan = RawStoreScan(file: file, fileByteCount: try file.byteCount(), progress: progress)
    try scan.findMarks()
    try scan.assemble()
    try scan.settle(options)
    return scan
  }

  private init(file: LMDBDataFile, fileByteCount: UInt64, progress: @escaping (SalvageProgress) -> Void) {
    self.file = file
    self.fileByteCount = fileByteCount
    self.progress = progress
    report.fileByteCount = fileByteCount
  }

  /// One pass over the file: extents, and what lies in leaf pages.
  private mutating func findMarks() throws(StoreError) {
    let lead = ExtentFormat.pageHeaderByteCount
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: lead + Self.readByteCount + Self.leafByteCountLimit, alignment: 16)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    var offset: UInt64 = 0
    while offset < fileByteCount {
      // More than the step, so that what begins in this part is seen whole.
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[lead...])
      let count = try file.read(into: part, at: offset)
      guard count > 0 else { break }
      let window = RawWindow(
        bytes: UnsafeRawBufferPointer(rebasing: buffer[..<(lead + count)]), lead: lead, offset: offset,
        ownByteCount: min(count, Self.readByteCount))
      findPieces(window)
      findShortSessions(window)
      findNodes(window)
      findSpaceRuns(window)
      // The page header before an extent at the next part's first byte.
      if count >= Self.readByteCount {
        buffer.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: buffer[Self.readByteCount..<Self.readByteCount + lead]))
      }
      offset += UInt64(Self.readByteCount)
      progress(SalvageProgress(.searching, doneByteCount: min(offset, fileByteCount), totalByteCount: fileByteCount))
    }
    report.extentCount = pieces.count
  }

  /// Extents begin pages, behind LMDB's header. In a copy that was cut anywhere pages begin anywhere: then that header
  /// must stand before them.
  private mutating func findPieces(_ window: RawWindow) {
    let mark = Self.extentMark
    var place = window.lead
    while let found = ByteSearch.first(mark, in: window.bytes, from: place), found < window.end {
      place = found + 1
      guard found + ExtentFormat.headerByteCount <= window.bytes.count else { continue }
      let fileOffset = window.fileOffset(of: found)
      let isAtPage = fileOffset % UInt64(ExtentFormat.pageByteCount) == UInt64(ExtentFormat.pageHeaderByteCount)
      if !isAtPage {
        let flags = window.bytes.loadUnaligned(fromByteOffset: found - 6, as: UInt16.self)
        guard flags == LMDBFormat.PageFlags.overflow else { continue }
      }
      let value = UnsafeRawBufferPointer(rebasing: window.bytes[found..<found + ExtentFormat.headerByteCount])
      guard let header = ExtentFormat.header(of: value.bytes), header.piece < header.pieceCount else { continue }
      let run = LMDBRunHeader(
        UnsafeRawBufferPointer(rebasing: window.bytes[found - LMDBRunHeader.byteCount..<found]))
      pieces.append(
        Piece(
          frame: header.frame, offset: fileOffset + UInt64(ExtentFormat.headerByteCount), index: UInt16(header.piece),
          count: UInt16(header.pieceCount), payloadByteCount: Self.payloadByteCount(run)))
    }
  }

  private static func payloadByteCount(_ run: LMDBRunHeader) -> UInt32 {
    let most = UInt32(ExtentFormat.fullPayloadByteCount)
    guard run.flags == LMDBFormat.PageFlags.overflow, (1...64).contains(run.pageCount) else { return most }
    let headers = UInt32(ExtentFormat.pageHeaderByteCount + ExtentFormat.headerByteCount)
    return min(run.pageCount * UInt32(ExtentFormat.pageByteCount) - headers, most)
  }

  private static let extentMark = withUnsafeBytes(of: ExtentFormat.magic.littleEndian) { Array($0) }

  /// Sessions short enough to lie in a leaf page have no extent of their own.
  private mutating func findShortSessions(_ window: RawWindow) {
    var place = window.lead + SessionBody.magicOffset
    while let found = ByteSearch.first(SessionBody.magic, in: window.bytes, from: place),
      found < window.end + SessionBody.magicOffset
    {
      place = found + 1
      let start = found - SessionBody.magicOffset
      let body = UnsafeRawBufferPointer(rebasing: window.bytes[start...])
      guard body.count >= SessionBody.leastByteCount else { continue }
      let byteCount = body.loadUnaligned(fromByteOffset: SessionBody.byteCountOffset, as: UInt64.self).littleEndian
      // A longer one lies in extents.
      guard byteCount <= SessionFormat.inlineByteLimit else { continue }
      if !note(body, at: .bytes(at: window.fileOffset(of: start))) { sessions.noteDamaged(body) }
    }
  }

  /// Whether `bytes` begin with a session's record, which is noted then.
  mutating func note(_ bytes: UnsafeRawBufferPointer, at place: Place) -> Bool {
    guard let body = try? SessionBody.decode(bytes.bytes) else { return false }
    let byteCount = bytes.loadUnaligned(fromByteOffset: SessionBody.byteCountOffset, as: UInt64.self).littleEndian
    sessions.append(body, byteCount: Int(byteCount), at: place)
    return true
  }

  /// Reads a session's record again.
  func body(of candidate: RawSessionList.Candidate) throws(StoreError) -> SessionBody {
    let buffer = scratch.bytes(candidate.byteCount)
    let count = try read(candidate.place, into: buffer)
    return try SessionBody.decode(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes)
  }

  func read(_ place: Place, into buffer: UnsafeMutableRawBufferPointer) throws(StoreError) -> Int {
    switch place {
    case .pieces(let first, let count): try read(pieces[first..<first + count], into: buffer)
    case .bytes(let offset): try file.read(into: buffer, at: offset)
    }
  }
}

/// A part of the file in memory.
struct RawWindow {
  /// The part, a little before it and a little behind.
  let bytes: UnsafeRawBufferPointer
  /// Where the part begins in `bytes`.
  let lead: Int
  /// Where it begins in the file.
  let offset: UInt64
  /// What begins in these bytes is this part's to find.
  let ownByteCount: Int

  var end: Int { lead + ownByteCount }
  func fileOffset(of place: Int) -> UInt64 { offset + UInt64(place - lead) }
}

/// Memory for one whole at a time, used again.
final class RawScratch {
  private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  deinit { buffer.deallocate() }

  /// Valid until the next call.
  func bytes(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if buffer.count < byteCount {
      buffer.deallocate()
      buffer = .allocate(byteCount: byteCount, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: buffer[..<byteCount])
  }
}

/// How far a salvage is.
package struct SalvageProgress: Sendable {
  package enum Phase: Hashable, Sendable {
    case searching
    case checking
    case writing
  }

  package var phase: Phase
  package var doneByteCount: UInt64
  package var totalByteCount: UInt64

  package init(_ phase: Phase, doneByteCount: UInt64, totalByteCount: UInt64) {
    self.phase = phase
    self.doneByteCount = doneByteCount
    self.totalByteCount = totalByteCount
  }
}

/// What a salvage brings back.
package struct SalvageOptions: Sendable {
  /// Which sessions are wanted; all where nil. Then only blocks that they hold come along.
  package var isWanted: (@Sendable (String) -> Bool)?
  /// Of a session that lost blocks, what comes before the first that it lost.
  package var isPartial = false
  /// Leaves out blocks that no session holds.
  package var isSessionsOnly = false

  package init(isWanted: (@Sendable (String) -> Bool)? = nil, isPartial: Bool = false, isSessionsOnly: Bool = false) {
    self.isWanted = isWanted
    self.isPartial = isPartial
    self.isSessionsOnly = isSessionsOnly
  }
}
