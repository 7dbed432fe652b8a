import KVBlocks
import KVCodec
import SafeLMDB

/// Headers of many frames, for the inspector.
extension DiskTier {
  /// Visits the headers of `frames` until `body` answers false; best in the order of their ids, as they lie in the
  /// file.
  /// - Parameter damaged: is told of frames that cannot be read; a block deleted meanwhile has taken its frame along.
  @discardableResult
  package func scanFrameHeaders(
    of frames: [FrameReference], damaged: (FrameReference, StoreError) -> Void = { _, _ in },
    _ body: (FrameHeader) throws(StoreError) -> Bool
  ) throws(StoreError) -> ScanOutcome {
    var outcome = ScanOutcome()
    var isDone = false
    let pressure = MapPressure()
    while outcome.entryCount < frames.count, !isDone {
      let part = frames[outcome.entryCount..<min(outcome.entryCount + Self.lookUpLimit, frames.count)]
      try environment.read { (transaction) throws(StoreError) in
        outcome.note(transaction)
        for frame in part {
          outcome.entryCount += 1
          if outcome.entryCount % Self.lookUpReliefCount == 0 { pressure.relieve(transaction) }
          let header: FrameHeader
          do throws(StoreError) {
            header = try tables.frameHeader(of: frame, transaction)
          } catch  where error.code == .damaged {
            damaged(frame, error)
            continue
          }
          guard try body(header) else {
            isDone = true
            break
          }
        }
      }
    }
    return outcome
  }
}

extension Tables {
  /// - Throws: `damaged`.
  func frameHeader(
    of frame: FrameReference, _ transaction: borrowing some TableReading & ~Copyable
  ) throws(StoreError) -> FrameHeader {
    let pieces = try pieces(of: frame, transaction)
    do throws(FrameError) {
      return try FrameHeader.parse(FramePieces(pieces))
    } catch {
      throw .damagedFrame(frame, error.message)
    }
  }
}
