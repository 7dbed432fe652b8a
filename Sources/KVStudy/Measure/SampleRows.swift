import KVBlocks
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Some planes' rows of one sequence, to be compressed: a store's, or made up.
package struct SampleRows: Sendable {
  package static let tokenLimit = 1024
  package static let planeLimit = 4
  /// Bytes of a made-up plane, unless two rows take more.
  private static let planeByteCount = 16 << 20

  /// Plane by plane, token-major.
  package var planes: [(layout: PlaneLayout, bytes: [UInt8])]
  package var tokenCount: Int
  /// "session chat"; nil where they are made up.
  package var source: String?

  /// A store's longest session, its first tokens; nil where it has none of two tokens or more.
  /// - Throws: what reading throws.
  package init?(_ space: CacheSpace, sessions: [SessionInfo]) throws(StoreError) {
    let own = sessions.filter { $0.space == space.id }
    guard let longest = own.max(by: { $0.tokenCount < $1.tokenCount }), longest.tokenCount > 1 else { return nil }
    tokenCount = min(longest.tokenCount, Self.tokenLimit)
    source = longest.name
    let layout = space.layout
    let session = try space.session(named: longest.name)
    planes = []
    for plane in Self.planes(of: layout) {
      let byteCount = tokenCount * layout.planes[plane].rowByteCount
      guard byteCount <= 64 << 20 else { return nil }
      var bytes = [UInt8](repeating: 0, count: byteCount)
      var failure: StoreError?
      bytes.withUnsafeMutableBytes { buffer in
        do throws(StoreError) {
          try session.gather(plane: plane, tokens: 0..<tokenCount, into: buffer)
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
      planes.append((layout.planes[plane], bytes))
    }
  }

  /// Keys and values of the first layer and of the one in the middle, whatever order the engine's planes are in.
  static func planes(of layout: BlockLayout) -> [Int] {
    let layers = Set(layout.planes.map(\.plane.layer)).sorted()
    let chosen = layers.count > 1 ? [layers[0], layers[layers.count / 2]] : layers
    return chosen.flatMap { layer in
      [Plane.Kind.keys, .values].compactMap { layout.index(of: Plane($0, layer: layer)) }
    }
  }

  /// Rows that resemble keys and values: each element has its own mean and spread over the tokens, a few elements are
  /// far larger than the rest, and a token's row is near the one before; keys more so than values.
  package init(_ layout: StudyLayout) {
    // Quantised types are not made up: their bytes would tell nothing.
    let type = [.f16, .bf16, .f32].contains(layout.elementType) ? layout.elementType : .f16
    let elementCount = layout.keyValueHeadCount * layout.headSize
    let rowByteCount = elementCount * type.unitByteCount
    tokenCount = Self.madeUpTokenCount(rowByteCount: rowByteCount)
    var draws = SeededDraws(seed: 4)
    planes = []
    for index in 0..<Self.planeLimit {
      let plane = Plane(index % 2 == 0 ? .keys : .values, layer: index / 2)
      let likeness = plane.kind == .keys ? 0.5 : 0.2
      let fresh = (1 - likeness * likeness).squareRoot()
      var (means, spreads, state) = ([Double](), [Double](), [Double]())
      for _ in 0..<elementCount {
        let isLarge = plane.kind == .keys && draws.below(50) == 0
        means.append(draws.normal() * (plane.kind == .keys ? (isLarge ? 8 : 0.5) : 0.05))
        spreads.append(exp(0.5 * draws.normal()) * (plane.kind == .keys ? 0.7 : 0.25))
        state.append(draws.normal())
      }
      var bytes = [UInt8](repeating: 0, count: rowByteCount * tokenCount)
      bytes.withUnsafeMutableBytes { buffer in
        for token in 0..<tokenCount {
          for element in 0..<elementCount {
            // Three draws' sum is normal enough, and no logarithm each.
            let draw = Double(draws.next() >> 11) + Double(draws.next() >> 11) + Double(draws.next() >> 11)
            state[element] = likeness * state[element] + fresh * 2 * (draw / Double(1 << 53) - 1.5)
            let value = Float(means[element] + spreads[element] * state[element])
            Self.store(
              value, type, buffer, at: token * rowByteCount + element * type.unitByteCount)
          }
        }
      }
      planes.append((PlaneLayout(plane, elementType: type, rowByteCount: rowByteCount), bytes))
    }
  }

  static func madeUpTokenCount(rowByteCount: Int) -> Int { min(tokenLimit, max(2, planeByteCount / rowByteCount)) }

  private static func store(
    _ value: Float, _ type: ElementType, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) {
    let bits = value.bitPattern
    switch type {
    case .f16:
      // Rounded to the nearest; what is too small for a normal number is 0. No value here is too large.
      let rounded = bits + 0x1000
      let exponent = Int(rounded >> 23 & 0xff) - 112
      let magnitude = exponent > 0 ? UInt16(min(exponent, 30)) << 10 | UInt16(rounded >> 13 & 0x3ff) : 0
      buffer.storeBytes(of: UInt16(bits >> 16 & 0x8000) | magnitude, toByteOffset: offset, as: UInt16.self)
    case .bf16:
      buffer.storeBytes(of: UInt16(truncatingIfNeeded: (bits + 0x8000) >> 16), toByteOffset: offset, as: UInt16.self)
    default: buffer.storeBytes(of: bits, toByteOffset: offset, as: UInt32.self)
    }
  }
}
