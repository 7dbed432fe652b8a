import Foundation
import KVBlocks
import KVSimulation

@testable import PagedAttention

/// Sequences whose blocks lie in random places of one arena, with the same rows also lying one after the other.
final class ScatteredRows {
  let shape: AttentionShape
  let blockTokenCount: Int
  let scattered: [PagedRows]
  let contiguous: [PagedRows]
  private let arena: UnsafeMutableRawPointer
  private let line: [UnsafeMutableRawPointer]

  /// - Parameter sharedTokenCount: tokens that all sequences begin with, in the same blocks.
  init(
    _ shape: AttentionShape, tokenCounts: [Int], blockTokenCount: Int, sharedTokenCount: Int = 0,
    random: inout SplitMix64
  ) {
    self.shape = shape
    self.blockTokenCount = blockTokenCount
    let planeByteCount = blockTokenCount * shape.rowByteCount
    let sharedBlockCount = sharedTokenCount / blockTokenCount
    let blockCounts = tokenCounts.map { ($0 - 1) / blockTokenCount + 1 }
    let total = sharedBlockCount + blockCounts.reduce(0) { $0 + max(0, $1 - sharedBlockCount) }
    // A frame holds its plane of values before that of keys, with a gap between.
    let frameByteCount = 2 * planeByteCount + 64
    let arena = UnsafeMutableRawPointer.allocate(byteCount: 2 * total * frameByteCount, alignment: 64)
    self.arena = arena
    var places = Array(0..<2 * total)
    for index in places.indices.reversed() where index > 0 {
      places.swapAt(index, Int(random.next() % UInt64(index + 1)))
    }
    for index in 0..<total * 2 * frameByteCount / shape.elementType.unitByteCount {
      Self.store(Self.value(&random), shape.elementType, arena, index)
    }
    var next = 0
    func take() -> UnsafeRawPointer {
      defer { next += 1 }
      return UnsafeRawPointer(arena + places[next] * frameByteCount)
    }
    let keyOffset = planeByteCount + 64
    let shared = (0..<sharedBlockCount).map { _ in take() }
    var scattered: [PagedRows] = []
    var contiguous: [PagedRows] = []
    var line: [UnsafeMutableRawPointer] = []
    for (tokenCount, blockCount) in zip(tokenCounts, blockCounts) {
      let own = max(0, blockCount - sharedBlockCount)
      let frames = shared.prefix(blockCount) + (0..<own).map { _ in take() }
      scattered.append(
        PagedRows(
          blockTokenCount: blockTokenCount, tokenCount: tokenCount, unsafeFrames: Array(frames), keysAt: keyOffset,
          valuesAt: 0))
      let copy = UnsafeMutableRawPointer.allocate(byteCount: 2 * blockCount * planeByteCount, alignment: 64)
      line.append(copy)
      for block in 0..<blockCount {
        (copy + block * planeByteCount).copyMemory(from: frames[block] + keyOffset, byteCount: planeByteCount)
        (copy + (blockCount + block) * planeByteCount).copyMemory(from: frames[block], byteCount: planeByteCount)
      }
      contiguous.append(
        PagedRows(
          blockTokenCount: tokenCount, tokenCount: tokenCount, unsafeFrames: [UnsafeRawPointer(copy)], keysAt: 0,
          valuesAt: blockCount * planeByteCount))
    }
    self.scattered = scattered
    self.contiguous = contiguous
    self.line = line
  }

  deinit {
    arena.deallocate()
    for copy in line { copy.deallocate() }
  }

  /// About normal, so that a softmax over many has a few that matter.
  static func value(_ random: inout SplitMix64) -> Float {
    let bits = random.next()
    let sum = (0..<4).reduce(0) { $0 + Int(bits >> (16 * UInt64($1)) & 0xffff) }
    return (Float(sum) / 65536 - 2) * 1.7
  }

  private static func store(_ value: Float, _ type: ElementType, _ base: UnsafeMutableRawPointer, _ index: Int) {
    switch type {
    case .f16: base.storeBytes(of: Float16(value), toByteOffset: 2 * index, as: Float16.self)
    case .bf16:
      base.storeBytes(of: UInt16(truncatingIfNeeded: value.bitPattern >> 16), toByteOffset: 2 * index, as: UInt16.self)
    default: base.storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
    }
  }
}

/// Attention as its definition says, in double precision, one query at a time.
enum AttentionReference {
  static func element(_ row: UnsafeRawPointer, _ index: Int, _ type: ElementType) -> Double {
    switch type {
    case .f16: Double(row.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self))
    case .bf16:
      Double(Float(bitPattern: UInt32(row.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16))
    default: Double(row.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
    }
  }

  /// The output of one query head of the token at `position`.
  static func output(
    _ rows: PagedRows, _ shape: AttentionShape, position: Int, head: Int, query: ArraySlice<Float>
  ) -> [Double] {
    let query = Array(query)
    let first = head / (shape.queryHeadCount / shape.keyValueHeadCount) * shape.headSize
    let visible = max(0, shape.window.map { position + 1 - $0 } ?? 0)...position
    func row(_ offset: Int, _ token: Int) -> UnsafeRawPointer {
      rows.frames[token / rows.blockTokenCount] + offset + token % rows.blockTokenCount * shape.rowByteCount
    }
    let scores = visible.map { token in
      let key = row(rows.keyOffset, token)
      return (0..<shape.headSize).reduce(0.0) {
        $0 + Double(query[$1]) * element(key, first + $1, shape.elementType)
      } * Double(shape.scale)
    }
    let maximum = scores.max() ?? 0
    let weights = scores.map { exp2(($0 - maximum) * 1.4426950408889634) }
    let total = weights.reduce(0, +)
    var output = [Double](repeating: 0, count: shape.headSize)
    for (token, weight) in zip(visible, weights) {
      let value = row(rows.valueOffset, token)
      for index in output.indices { output[index] += weight * element(value, first + index, shape.elementType) }
    }
    return output.map { $0 / total }
  }

  /// The largest error of `outputs` beside the largest value of the reference, over all heads of the tokens given.
  static func error(
    of outputs: ArraySlice<Float>, queries: ArraySlice<Float>, _ rows: PagedRows, _ shape: AttentionShape,
    positions: Range<Int>
  ) -> Double {
    var (worst, largest) = (0.0, 0.0)
    for (index, position) in positions.enumerated() {
      for head in 0..<shape.queryHeadCount {
        let start = (index * shape.queryHeadCount + head) * shape.headSize
        let query = queries[queries.startIndex + start..<queries.startIndex + start + shape.headSize]
        let wanted = output(rows, shape, position: position, head: head, query: query)
        for (offset, value) in wanted.enumerated() {
          let found = Double(outputs[outputs.startIndex + start + offset])
          worst = found.isNaN ? .infinity : max(worst, abs(found - value))
          largest = max(largest, abs(value))
        }
      }
    }
    return worst / largest
  }
}
