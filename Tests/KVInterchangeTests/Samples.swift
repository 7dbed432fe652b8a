import KVBlocks
import KVInterchange
import Testing

/// The real files in data/samples.
enum Samples {
  static let directory: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(3)
    return parts.joined(separator: "/") + "/data/samples"
  }()

  static let sequenceFiles = [
    "smollm2-135m_512tok_f16_fa.v4.ggsq", "smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq",
    "smollm2-135m_48tok_bf16_fa.v4.ggsq", "smollm2-135m_48tok_q8_0_fa.v4.ggsq", "smollm2-135m_48tok_f16_fa.v3.ggsq",
    "smollm2-135m_16tok_f16_fa_2streams_seq1.v4.ggsq",
  ]
  static let shortFiles = sequenceFiles.filter { $0.contains("_48tok_") }
  static let transposed = "smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq"
  static let version3 = "smollm2-135m_48tok_f16_fa.v3.ggsq"
  static let long = "smollm2-135m_512tok_f16_fa.v4.ggsq"
  static let safetensors = "smollm2-135m_512tok_f16.safetensors"

  static func path(_ name: String) -> String { "\(directory)/\(name)" }

  static func source(_ name: String) throws -> ByteSource { try ByteSource(path: path(name)) }

  static func bytes(_ name: String) throws -> [UInt8] {
    let source = try source(name)
    return try source.everything()
  }
}

extension ByteSource {
  func everything() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    try bytes.withUnsafeMutableBytes { try read(at: 0, into: $0) }
    return bytes
  }
}

extension ImportedState {
  /// Rows of a plane, copied `step` at a time.
  func rows(_ plane: Int, _ range: Range<Int>? = nil, step: Int = 64) throws -> [UInt8] {
    let range = range ?? 0..<rowCount
    let size = planes[plane].rowByteCount
    var bytes = [UInt8](repeating: 0, count: range.count * size)
    var row = range.lowerBound
    while row < range.upperBound {
      let end = min(range.upperBound, row + step)
      let place = (row - range.lowerBound) * size..<(end - range.lowerBound) * size
      try bytes.withUnsafeMutableBytes {
        try copyRows(plane: plane, rows: row..<end, into: UnsafeMutableRawBufferPointer(rebasing: $0[place]))
      }
      row = end
    }
    return bytes
  }
}

extension StateExport {
  /// The file in memory, its rows taken from `state`.
  func bytes(from state: some ImportedState) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try write(
      to: { bytes += $0 },
      gather: { (plane, rows, destination) throws in try state.copyRows(plane: plane, rows: rows, into: destination) },
      progress: nil)
    #expect(bytes.count == byteCount)
    return bytes
  }

  /// The file written straight into memory.
  func bytesInPlace(from state: some ImportedState) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xa5, count: byteCount)
    try bytes.withUnsafeMutableBytes { buffer in
      try write(into: buffer) { (rows, destinations) throws in
        for destination in destinations {
          try state.copyRows(plane: destination.plane, rows: rows, into: destination.bytes)
        }
      }
    }
    return bytes
  }
}

extension SequenceState {
  /// The state written again, through the origin's encoded form.
  func exported(_ options: SequenceExportOptions = SequenceExportOptions()) throws -> [UInt8] {
    let writer = try SequenceStateWriter(
      origin: try SequenceOrigin(encoded: origin), tokens: tokens, planes: planes, checkpoint: try readCheckpoint(),
      options: options)
    return try writer.bytes(from: self)
  }
}
