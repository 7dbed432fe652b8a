import KVBlocks

/// Writes a session as a llama.cpp state: the very bytes that were imported, a prefix, a fork, or another container,
/// version, stream or order of values.
public struct SequenceStateWriter: StateExport {
  public let byteCount: Int
  private let plan: SequenceExportPlan

  /// Checks what is asked for and computes the size; nothing is written.
  ///
  /// - Parameters:
  ///   - origin: the session's; ``SequenceOrigin`` has a plain one for sessions that came from no llama.cpp file.
  ///   - tokens: all tokens of the session, one a row.
  ///   - planes: the session's, in the order that `gather`'s index means.
  ///   - checkpoint: the session's, where it has one.
  ///   - options: what to write other than as imported.
  /// - Throws: `invalidArgument` with the reason where the state cannot be written so.
  public init(
    origin: SequenceOrigin, tokens: [Token], planes: [PlaneLayout], checkpoint: [UInt8] = [],
    options: SequenceExportOptions = SequenceExportOptions()
  ) throws(StoreError) {
    plan = try SequenceExportPlan(
      origin: origin, tokens: tokens, planes: planes, checkpoint: checkpoint, options: options)
    byteCount = try Self.byteCount(plan)
  }

  public var rowCount: Int { plan.rowCount }

  private static func byteCount(_ plan: SequenceExportPlan) throws(StoreError) -> Int {
    var total = 0
    switch plan.container {
    case .sequenceFile: total += 12 + 4 * plan.tokenWords.count
    case .sessionFile: total += 16 + 4 * plan.tokenWords.count + plan.architecture.count + plan.outputs.count
    case .memoryBlob: total += plan.blobSequenceID == nil ? 0 : 8
    case .contextBlob: total += 4 + plan.architecture.count + plan.outputs.count
    }
    total += plan.rest.count
    guard plan.hasAttention else { return total }
    total += 4 + 4 * (plan.writtenStreamCount)
    guard plan.rowCount > 0 else { return total }
    plan.forEachSequenceList { total += 8 + plan.extensionByteCount + 4 * $0.count }
    total += plan.rotation == nil ? 8 : 16
    for (planes, headByteCount) in [(plan.keys, 12), (plan.values, 12)] {
      for plane in planes {
        let (rows, overflow) = plane.rowByteCount.multipliedReportingOverflow(by: plan.rowCount)
        let (sum, overflow2) = total.addingReportingOverflow(rows + headByteCount)
        guard !overflow, !overflow2 else { throw .invalidArgument("the state would be larger than any file") }
        total = sum
      }
    }
    return total
  }

  public func write<Failure: Error>(
    to sink: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    gather: (_ plane: Int, _ rows: Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void,
    progress: ((Int) -> Void)? = nil
  ) throws(Failure) {
    try write(to: sink, progress: progress) { (plane, isTransposed, out) throws(Failure) in
      if isTransposed {
        try writeChannels(plane, &out, sink, gather)
      } else {
        try writeRows(plane, &out, sink, gather)
      }
    }
  }

  /// Writes everything but the planes' rows, which `rows` writes or leaves room for: asked for each plane in its turn.
  private func write<Failure: Error>(
    to sink: (UnsafeRawBufferPointer) throws(Failure) -> Void, progress: ((Int) -> Void)?,
    rows: (SequenceExportPlan.OutPlane, _ isTransposed: Bool, inout PieceBuffer) throws(Failure) -> Void
  ) throws(Failure) {
    var out = PieceBuffer(progress: progress)
    try writeContainer(&out, sink)
    if plan.hasAttention {
      try out.integer(UInt32(plan.streamCount), sink)
      for _ in 0..<(plan.rowCount > 0 ? plan.streamIndex : plan.streamCount) { try out.integer(UInt32(0), sink) }
      if plan.rowCount > 0 {
        try out.integer(UInt32(plan.rowCount), sink)
        try writeCells(&out, sink)
        try out.integer(UInt32(plan.isTransposed ? 1 : 0), sink)
        try out.integer(UInt32(plan.keys.count), sink)
        if let rotation = plan.rotation {
          try out.integer(UInt32(rotation.keys), sink)
          try out.integer(UInt32(rotation.values), sink)
        }
        for (planes, isTransposed) in [(plan.keys, false), (plan.values, plan.isTransposed)] {
          for plane in planes {
            try writeHead(of: plane, isTransposed: isTransposed, &out, sink)
            try rows(plane, isTransposed, &out)
          }
        }
        for _ in 0..<plan.emptyStreamCountAfter { try out.integer(UInt32(0), sink) }
      }
    }
    try append(plan.rest, &out, sink)
    try out.flush(sink)
  }

  public func write<Failure: Error>(
    into buffer: UnsafeMutableRawBufferPointer,
    read: (_ rows: Range<Int>, [PlaneDestination]) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(buffer.count == byteCount, "a buffer of the state's size")
    var cursor = 0
    var direct: [PlaneDestination] = []
    var channels: [PlaneDestination] = []
    let copy = { (bytes: UnsafeRawBufferPointer) throws(Failure) in
      UnsafeMutableRawBufferPointer(rebasing: buffer[cursor..<cursor + bytes.count]).copyMemory(from: bytes)
      cursor += bytes.count
    }
    try write(to: copy, progress: nil) { (plane, isTransposed, out) throws(Failure) in
      // The rows' place is known; they come afterwards, all planes at one time.
      try out.flush(copy)
      let end = cursor + plane.rowByteCount * plan.rowCount
      let place = PlaneDestination(
        plane: plane.index, bytes: UnsafeMutableRawBufferPointer(rebasing: buffer[cursor..<end]))
      if isTransposed { channels.append(place) } else { direct.append(place) }
      cursor = end
    }
    assert(cursor == byteCount, "the size foretold is the size written")
    if !direct.isEmpty { try read(0..<plan.rowCount, direct) }
    try readChannels(channels, read)
  }

  /// Reads rows of as many planes at a time as the working memory holds, and turns each into channels.
  private func readChannels<Failure: Error>(
    _ places: [PlaneDestination], _ read: (Range<Int>, [PlaneDestination]) throws(Failure) -> Void
  ) throws(Failure) {
    guard let largest = places.map(\.bytes.count).max() else { return }
    // What stays in the second-level cache between reading and turning.
    let groupCount = min(places.count, max(1, min(plan.workingByteCount, 2 << 20) / largest))
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: groupCount * largest, alignment: 64)
    defer { scratch.deallocate() }
    let elements = Dictionary(plan.values.map { ($0.index, $0) }) { first, _ in first }
    for start in stride(from: 0, to: places.count, by: groupCount) {
      let group = places[start..<min(places.count, start + groupCount)]
      let rows = group.enumerated().map { index, place in
        PlaneDestination(
          plane: place.plane,
          bytes: UnsafeMutableRawBufferPointer(rebasing: scratch[index * largest..<index * largest + place.bytes.count])
        )
      }
      try read(0..<plan.rowCount, rows)
      for (source, place) in zip(rows, group) {
        guard let plane = elements[place.plane] else { continue }
        let element = plane.type.unitByteCount
        Transposition.gather(
          rows: UnsafeRawBufferPointer(source.bytes), rowCount: plan.rowCount, rowByteCount: plane.rowByteCount,
          firstColumn: 0, elementByteCount: element, into: place.bytes, stripCount: plane.rowByteCount / element,
          elementCount: plan.rowCount, firstElement: 0)
      }
    }
  }

  private func writeContainer<Failure: Error>(
    _ out: inout PieceBuffer, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    switch plan.container {
    case .contextBlob: return try writeArchitecture(&out, sink)
    case .memoryBlob:
      guard let id = plan.blobSequenceID else { return }
      try out.integer(StateContainer.blobMagic, sink)
      try out.integer(id, sink)
      return
    case .sequenceFile:
      try out.integer(StateContainer.sequenceMagic, sink)
      try out.integer(UInt32(plan.version), sink)
    case .sessionFile:
      try out.integer(StateContainer.sessionMagic, sink)
      try out.integer(UInt32(plan.version + StateContainer.sessionVersionLead), sink)
    }
    try out.integer(UInt32(plan.tokenWords.count), sink)
    for word in plan.tokenWords { try out.integer(word, sink) }
    if plan.container == .sessionFile { try writeArchitecture(&out, sink) }
  }

  private func writeArchitecture<Failure: Error>(
    _ out: inout PieceBuffer, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try out.integer(UInt32(plan.architecture.count), sink)
    try out.append(plan.architecture, sink)
    try append(plan.outputs, &out, sink)
  }

  private func append<Failure: Error>(
    _ part: ArraySlice<UInt8>, _ out: inout PieceBuffer, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try part.withUnsafeBufferPointer { (bytes) throws(Failure) in try out.append(UnsafeRawBufferPointer(bytes), sink) }
  }

  private func writeHead<Failure: Error>(
    of plane: SequenceExportPlan.OutPlane, isTransposed: Bool, _ out: inout PieceBuffer,
    _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try out.integer(plane.type.number, sink)
    if isTransposed {
      let element = plane.type.unitByteCount
      try out.integer(UInt32(element), sink)
      try out.integer(UInt32(plane.rowByteCount / element), sink)
    } else {
      try out.integer(UInt64(plane.rowByteCount), sink)
    }
  }

  private func writeCells<Failure: Error>(
    _ out: inout PieceBuffer, _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var positions = plan.positions
    var x = plan.cells.extensionX.cursor()
    var y = plan.cells.extensionY.cursor()
    var excess = plan.cells.extensionTokenExcess.cursor()
    var row = 0
    try plan.forEachSequenceList { (ids) throws(Failure) in
      try out.integer(Int32(truncatingIfNeeded: positions.next()), sink)
      try out.integer(UInt32(ids.count), sink)
      if plan.extensionByteCount > 0 {
        try out.integer(Int32(truncatingIfNeeded: x.next()), sink)
        try out.integer(Int32(truncatingIfNeeded: y.next()), sink)
      }
      if plan.extensionByteCount == 12 {
        try out.integer(Int32(truncatingIfNeeded: excess.next() + Int64(plan.tokens[row])), sink)
      }
      for id in ids { try out.integer(id, sink) }
      row += 1
    }
  }

  private func writeRows<Failure: Error>(
    _ plane: SequenceExportPlan.OutPlane, _ out: inout PieceBuffer,
    _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    _ gather: (Int, Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try RowPieces.write(
      plane: plane.index, rowByteCount: plane.rowByteCount, rowCount: plan.rowCount,
      pieceByteCount: pieceByteCount,
      gather: gather
    ) { (bytes) throws(Failure) in try out.append(bytes, sink) }
  }

  /// Strips of as many channels at a time as fit, gathering the plane's rows anew for each group.
  private func writeChannels<Failure: Error>(
    _ plane: SequenceExportPlan.OutPlane, _ out: inout PieceBuffer,
    _ sink: (UnsafeRawBufferPointer) throws(Failure) -> Void,
    _ gather: (Int, Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let element = plane.type.unitByteCount
    let channelCount = plane.rowByteCount / element
    let stripByteCount = plan.rowCount * element
    let groupCount = min(channelCount, max(1, plan.workingByteCount / stripByteCount))
    let strips = UnsafeMutableRawBufferPointer.allocate(byteCount: groupCount * stripByteCount, alignment: 64)
    defer { strips.deallocate() }
    var channel = 0
    while channel < channelCount {
      let count = min(groupCount, channelCount - channel)
      var row = 0
      try RowPieces.write(
        plane: plane.index, rowByteCount: plane.rowByteCount, rowCount: plan.rowCount,
        pieceByteCount: pieceByteCount,
        gather: gather
      ) { (bytes) throws(Failure) in
        let pieceRows = bytes.count / plane.rowByteCount
        Transposition.gather(
          rows: bytes, rowCount: pieceRows, rowByteCount: plane.rowByteCount, firstColumn: channel,
          elementByteCount: element, into: strips, stripCount: count, elementCount: plan.rowCount, firstElement: row)
        row += pieceRows
      }
      try out.append(UnsafeRawBufferPointer(rebasing: strips[..<(count * stripByteCount)]), sink)
      channel += count
    }
  }

  private var pieceByteCount: Int { min(Self.pieceByteCount, plan.workingByteCount) }
}

/// Asks for a plane's rows piece by piece, into one buffer.
enum RowPieces {
  static func write<Failure: Error>(
    plane: Int, rowByteCount: Int, rowCount: Int, pieceByteCount: Int,
    gather: (Int, Range<Int>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void,
    each body: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let pieceRowCount = min(rowCount, max(1, pieceByteCount / rowByteCount))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceRowCount * rowByteCount, alignment: 64)
    defer { buffer.deallocate() }
    var row = 0
    while row < rowCount {
      let count = min(pieceRowCount, rowCount - row)
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(count * rowByteCount)])
      try gather(plane, row..<row + count, piece)
      try body(UnsafeRawBufferPointer(piece))
      row += count
    }
  }
}

extension SequenceExportPlan {
  /// Streams whose count stands in the file besides the rest's.
  var writtenStreamCount: Int { rowCount == 0 ? streamCount : streamIndex + 1 + emptyStreamCountAfter }

  /// Where there is a rest, it begins with the streams that follow.
  var emptyStreamCountAfter: Int { rest.isEmpty ? streamCount - streamIndex - 1 : 0 }

  /// Positions, those of appended tokens included.
  var positions: RunColumn.Cursor {
    let column = cells.isRegular ? RunColumn(continuingFrom: 0, step: 1) : cells.positions
    return column.cursor()
  }

  /// Calls `body` with each cell's sequence ids, in order; appended cells have those of the last one.
  func forEachSequenceList<Failure: Error>(_ body: ([Int32]) throws(Failure) -> Void) throws(Failure) {
    if let sequenceID {
      for _ in 0..<rowCount { try body([sequenceID]) }
      return
    }
    var indexes = cells.sequenceIndexes.cursor()
    var index = 0
    for row in 0..<rowCount {
      if row < cells.count || row == 0 { index = Int(indexes.next()) }
      let ids = cells.sequenceLists.indices.contains(index) ? cells.sequenceLists[index] : []
      try body(keepsFirstSequenceOnly ? [ids.first ?? 0] : ids)
    }
  }
}
