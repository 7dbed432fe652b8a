import KVBlocks
import KVCodec
import SafeLMDB

// Invariants:
// - `buffer` belongs to one thread; what lies in it is a copy of a part of the map, for the batch at hand alone.

/// Reads batches of frames, each batch with as few reads of the file as it can: frames that lie one behind the other
/// come in one.
struct FrameBatch: ~Copyable {
  private let reading: FrameReading
  private let index: AuditIndex
  private let buffer: UnsafeMutableRawBufferPointer

  /// Frames that lie together in no more than this are read in one. Larger ones are read where they lie.
  static let bufferByteCount = 16 << 20

  init(_ reading: FrameReading, index: AuditIndex) {
    self.reading = reading
    self.index = index
    buffer = .allocate(byteCount: Self.bufferByteCount, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// What is wrong with frames of blocks as the audit saw them.
  /// - Parameter claims: of blocks, in the file's order.
  /// - Returns: those that must be looked at again, by what their owners' records say now.
  func doubtful(
    _ claims: ArraySlice<FrameClaim>, _ transaction: borrowing ReadTransaction, _ decoder: inout BlockDecoder
  ) throws(StoreError) -> [FrameClaim] {
    var doubtful: [FrameClaim] = []
    var found: [(claim: FrameClaim, frame: FoundFrame)] = []
    found.reserveCapacity(claims.count)
    for claim in claims {
      do throws(StoreError) {
        let pieces = try reading.tables.pieces(of: claim.reference, transaction)
        found.append((claim, frame(claim, pieces)))
      } catch  where error.code == .damaged {
        doubtful.append(claim)
      }
    }
    guard let map = transaction.mapOffsets() else { return doubtful + found.map(\.claim) }
    let together = run(of: found[...])
    let isTogether =
      together.count <= buffer.count && together.count <= 2 * found.reduce(0) { $0 + $1.frame.frame.byteCount } + 65_536
    if isTogether {
      try verify(found[...], in: together, map, &decoder, &doubtful)
    } else {
      for position in found.indices {
        let one = found[position...position]
        try verify(one, in: run(of: one), map, &decoder, &doubtful)
      }
    }
    return doubtful
  }

  private func frame(_ claim: FrameClaim, _ pieces: [UnsafeRawBufferPointer]) -> FoundFrame {
    let position = Int(claim.owner)
    let key = index.key(position)
    let expected = FrameExpectation(
      key: key, parentWord: index.parentWords[position], tokenDigest: index.tokenDigests[position],
      frameByteCount: claim.byteCount, checksum: index.frameChecksums[position])
    return FoundFrame(owner: .block(key), frame: claim.reference, expected: expected, pieces: pieces)
  }

  /// The part of the map that frames lie in, the headers of their pages included.
  private func run(of found: ArraySlice<(claim: FrameClaim, frame: FoundFrame)>) -> UnsafeRawBufferPointer {
    var (low, high) = (UInt.max, UInt.min)
    for (_, frame) in found {
      for piece in frame.pieces {
        let start = UInt(bitPattern: piece.baseAddress)
        low = min(low, start - UInt(ExtentFormat.headerByteCount + LMDBRunHeader.byteCount))
        high = max(high, start + UInt(piece.count))
      }
    }
    guard low < high else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: low), count: Int(high - low))
  }

  private func verify(
    _ found: ArraySlice<(claim: FrameClaim, frame: FoundFrame)>, in run: UnsafeRawBufferPointer, _ map: MapOffsets,
    _ decoder: inout BlockDecoder, _ doubtful: inout [FrameClaim]
  ) throws(StoreError) {
    guard let base = run.baseAddress, let copy = map.copy(run, to: buffer), let copied = buffer.baseAddress else {
      doubtful += found.map(\.claim)
      return
    }
    for (claim, frame) in found {
      var frame = frame
      frame.pieces = frame.pieces.map { piece in
        UnsafeRawBufferPointer(start: copied + (piece.baseAddress! - base), count: piece.count)
      }
      guard let expected = frame.expected, let space = reading.spaces[expected.key.space] else { continue }
      do throws(FrameError) {
        try decoder.verify(FramePieces(frame.pieces), layout: space.layout, expecting: expected)
        if FrameReading.headerProblem(of: frame, copy) != nil { doubtful.append(claim) }
      } catch {
        doubtful.append(claim)
      }
    }
  }
}
