import KVBlocks

@testable import KVCodec

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// The rows of a llama.cpp sequence file of one stream with token-major values: just enough of a reader for these
/// tests.
struct SampleRows {
  struct Failure: Error { let message: String }

  let tokenCount: Int
  /// All layers' keys, then all layers' values.
  let planes: [(layout: PlaneLayout, rows: [UInt8])]

  static func read(_ name: String) throws -> SampleRows {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    return try SampleRows(file(at: root + "/data/samples/" + name))
  }

  private static func file(at path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw Failure(message: "no sample at \(path)") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let count = ftell(file)
    rewind(file)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = fread(buffer.baseAddress, 1, count, file)
    }
  }

  init(_ bytes: [UInt8]) throws {
    var offset = 4
    func u32() -> Int {
      let value = bytes.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
      offset += 4
      return value
    }
    let version = u32()
    let tokens = u32()
    offset += 4 * tokens
    let streams = u32()
    let cells = u32()
    for _ in 0..<cells {
      offset += 4
      offset += 4 * u32()
    }
    let transposed = u32()
    let layers = u32()
    if version >= 4 { offset += 8 }
    guard streams == 1, transposed == 0 else { throw Failure(message: "a sample of another kind") }
    var planes: [(layout: PlaneLayout, rows: [UInt8])] = []
    for kind in [Plane.Kind.keys, .values] {
      for layer in 0..<layers {
        let types: [Int: ElementType] = [0: .f32, 1: .f16, 2: .q4_0, 8: .q8_0, 30: .bf16]
        guard let elementType = types[u32()] else { throw Failure(message: "a type of its own") }
        let row = u32()
        offset += 4
        planes.append(
          (
            PlaneLayout(Plane(kind, layer: layer), elementType: elementType, rowByteCount: row),
            Array(bytes[offset..<offset + cells * row])
          ))
        offset += cells * row
      }
    }
    guard offset == bytes.count else { throw Failure(message: "the sample's parts do not add up") }
    tokenCount = cells
    self.planes = planes
  }

  /// The block of the sample's tokens from `first` on.
  func block(first: Int, tokenCount: Int) throws -> BlockFixture {
    let layout = try BlockLayout(blockTokenCount: tokenCount, planes: planes.map(\.layout))
    return BlockFixture(layout: layout, tokenCount: tokenCount) { plane, rows in
      let row = planes[plane].layout.rowByteCount
      rows.copyBytes(from: planes[plane].rows[first * row..<(first + tokenCount) * row])
    }
  }

  /// Payload over frame bytes, headers included, of the sample cut into blocks of `tokenCount`.
  func ratio(blockTokenCount: Int) throws -> Double {
    var encoder = BlockEncoder()
    var payload = 0
    var stored = 0
    for first in stride(from: 0, through: tokenCount - blockTokenCount, by: blockTokenCount) {
      let block = try block(first: first, tokenCount: blockTokenCount)
      payload += block.layout.payloadByteCount(tokenCount: blockTokenCount)
      stored += try block.encoded(&encoder).count
    }
    return Double(payload) / Double(stored)
  }
}
