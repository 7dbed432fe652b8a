import KVBlocks

/// Turns channel-major planes into token-major rows, reading long strips and keeping a window of rows per plane.
// Invariants:
// - a plane's window holds the rows `rows` of that plane, token-major, whole
// - windows together take at most the bytes allowed, one row a plane excepted
final class TransposedRows: Sendable {
  private struct Window {
    var rows: Range<Int>
    var bytes: [UInt8]
  }

  private let source: ByteSource
  private let cellCount: Int
  /// Rows kept for each plane.
  private let windowRowCount: Int
  private let windows = Lock<[Int: Window]>([:])

  init(source: ByteSource, cellCount: Int, rowByteCountOfAllPlanes: Int, workingByteCount: Int) {
    self.source = source
    self.cellCount = cellCount
    windowRowCount = min(cellCount, max(1, workingByteCount / max(1, rowByteCountOfAllPlanes)))
  }

  private func assertInvariants(_ window: Window, rowByteCount: Int) {
    assert(window.bytes.count == window.rows.count * rowByteCount, "the window holds its rows whole")
    assert(window.rows.count <= windowRowCount && window.rows.upperBound <= cellCount, "the window fits")
  }

  /// Copies rows `rows` of a transposed plane, token-major.
  func copy(
    plane index: Int, place: PlanePlace, rows: Range<Int>, into destination: UnsafeMutableRawBufferPointer
  ) throws(FormatError) {
    var failure: FormatError?
    windows.withLock { windows in
      var row = rows.lowerBound
      while row < rows.upperBound {
        if windows[index]?.rows.contains(row) != true {
          do throws(FormatError) {
            // The window begins where the request does: requests go upwards.
            windows[index] = nil
            windows[index] = try load(place, rows: row..<min(cellCount, row + windowRowCount))
          } catch {
            failure = error
            return
          }
        }
        guard let window = windows[index] else { return }
        assertInvariants(window, rowByteCount: place.rowByteCount)
        let end = min(rows.upperBound, window.rows.upperBound)
        let from = (row - window.rows.lowerBound) * place.rowByteCount
        let byteCount = (end - row) * place.rowByteCount
        window.bytes.withUnsafeBytes { bytes in
          UnsafeMutableRawBufferPointer(rebasing: destination[((row - rows.lowerBound) * place.rowByteCount)...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[from..<from + byteCount]))
        }
        row = end
      }
    }
    if let failure { throw failure }
  }

  /// Reads the strips of `rows` in groups of channels and transposes each group.
  private func load(_ place: PlanePlace, rows: Range<Int>) throws(FormatError) -> Window {
    let element = place.channelByteCount
    let channelCount = place.rowByteCount / element
    let stripByteCount = rows.count * element
    let groupCount = min(channelCount, max(1, (1 << 20) / stripByteCount))
    var strips = [UInt8](repeating: 0, count: groupCount * stripByteCount)
    var bytes = [UInt8](repeating: 0, count: rows.count * place.rowByteCount)
    var channel = 0
    while channel < channelCount {
      let count = min(groupCount, channelCount - channel)
      var failure: FormatError?
      strips.withUnsafeMutableBytes { strips in
        do throws(FormatError) {
          try read(place, channels: channel..<channel + count, rows: rows, into: strips)
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
      strips.withUnsafeBytes { strips in
        bytes.withUnsafeMutableBytes { bytes in
          Transposition.scatter(
            strips: strips, stripCount: count, elementCount: rows.count, elementByteCount: element,
            into: bytes, rowByteCount: place.rowByteCount, firstColumn: channel)
        }
      }
      channel += count
    }
    return Window(rows: rows, bytes: bytes)
  }

  private func read(
    _ place: PlanePlace, channels: Range<Int>, rows: Range<Int>, into strips: UnsafeMutableRawBufferPointer
  ) throws(FormatError) {
    let element = place.channelByteCount
    let stripByteCount = rows.count * element
    if rows.count == cellCount {
      let offset = place.offset + channels.lowerBound * cellCount * element
      let whole = UnsafeMutableRawBufferPointer(rebasing: strips[..<(channels.count * stripByteCount)])
      return try source.read(at: offset, into: whole)
    }
    for channel in channels {
      let start = (channel - channels.lowerBound) * stripByteCount
      try source.read(
        at: place.offset + (channel * cellCount + rows.lowerBound) * element,
        into: UnsafeMutableRawBufferPointer(rebasing: strips[start..<start + stripByteCount]))
    }
  }
}
