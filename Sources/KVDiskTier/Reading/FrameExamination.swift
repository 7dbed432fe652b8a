import KVBlocks
import KVCodec
import SafeLMDB

/// What a block's frame looks like in the store, also a damaged one.
package struct FrameExamination: Hashable, Sendable {
  package struct Extent: Hashable, Sendable {
    /// Bytes of the frame that it carries.
    package var payloadByteCount: Int
    /// Bytes of the file that it takes, headers and padding included.
    package var diskByteCount: Int
    /// What is wrong with it; nil where it is as it should be.
    package var failure: String?
  }

  package var extents: [Extent]
  /// Nil where it cannot be believed.
  package var header: FrameHeader?
  /// Why there is no header.
  package var failure: String?
}

/// Reading frames of which not all may be there: for the inspector alone. What is served goes through the decoders, and
/// is refused whole.
extension DiskTier {
  /// Looks at a frame's extents and its header.
  package func examineFrame(of record: BlockRecord) throws(StoreError) -> FrameExamination {
    guard record.frame.byteCount > 0, record.frame.byteCount <= ExtentFormat.byteCountLimit else {
      return FrameExamination(
        extents: [], header: nil, failure: "the record claims a frame of \(record.frame.byteCount) bytes")
    }
    return try withLoosePieces(of: record.frame) { (pieces, extents) in
      do throws(FrameError) {
        return FrameExamination(extents: extents, header: try FrameHeader.parse(pieces), failure: nil)
      } catch {
        return FrameExamination(extents: extents, header: nil, failure: error.message)
      }
    }
  }

  /// Decodes all rows of one plane into `destination`, which has just their bytes, where the frame's header and that
  /// plane's own bytes hold, whatever happened to the others.
  package func examinePlane(
    _ plane: Int, of record: BlockRecord, layout: BlockLayout, into destination: UnsafeMutableRawBufferPointer
  ) throws(StoreError) -> LoadOutcome {
    guard record.frame.byteCount > 0, record.frame.byteCount <= ExtentFormat.byteCountLimit else {
      return .damaged("the record claims a frame of \(record.frame.byteCount) bytes")
    }
    return try codecs.withDecoder { (decoder) throws(StoreError) in
      try withLoosePieces(of: record.frame) { (pieces, _) in
        do throws(FrameError) {
          let count = try decoder.decodePlane(
            pieces, layout: layout, expecting: record.key, plane: plane, rows: 0..<record.tokens.count,
            into: destination)
          guard count == record.tokens.count else {
            return .damaged("a frame of \(count) tokens, where the record has \(record.tokens.count)")
          }
          return .loaded(tokenCount: count)
        } catch {
          return .damaged(error.message)
        }
      }
    }
  }

  /// A frame's pieces, with zeros in the place of those that are missing: what lies in the others still decodes, and
  /// checksums tell the rest.
  private func withLoosePieces<R>(
    of frame: FrameReference, _ body: (FramePieces, [FrameExamination.Extent]) -> R
  ) throws(StoreError) -> R {
    let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: ExtentFormat.fullPayloadByteCount, alignment: 64)
    defer { zeros.deallocate() }
    zeros.initializeMemory(as: UInt8.self, repeating: 0)
    return try environment.read { (transaction) throws(StoreError) in
      let count = ExtentFormat.pieceCount(of: frame.byteCount)
      var pieces: [UnsafeRawBufferPointer] = []
      var extents: [FrameExamination.Extent] = []
      for index in 0..<count {
        let wanted = ExtentFormat.payloadRange(ofPiece: index, of: frame.byteCount).count
        let wantedValue = ExtentFormat.valueByteCount(ofPiece: index, of: frame.byteCount)
        var extent = FrameExamination.Extent(
          payloadByteCount: wanted, diskByteCount: wantedValue + ExtentFormat.pageHeaderByteCount, failure: nil)
        var piece = UnsafeRawBufferPointer(rebasing: zeros[..<wanted])
        let key = Keys.extent(frame: frame.id, piece: index)
        if let value = try transaction.read(key.span.bytes, in: tables.extents) {
          if value.byteCount != wantedValue {
            extent.failure = "it has \(value.byteCount) bytes, where \(wantedValue) are due"
          } else {
            piece = value.withUnsafeBytes { bytes in
              let start = ExtentFormat.headerByteCount
              return UnsafeRawBufferPointer(rebasing: bytes[start..<start + wanted])
            }
            if ExtentFormat.header(of: value) != .init(piece: index, pieceCount: count, frame: frame.id) {
              extent.failure = "it says that it is another"
            }
          }
        } else {
          extent.failure = "it is missing"
        }
        pieces.append(piece)
        extents.append(extent)
      }
      return body(FramePieces(pieces), extents)
    }
  }
}
