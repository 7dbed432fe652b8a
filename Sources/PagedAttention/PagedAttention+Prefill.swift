import CKernels
import KVBlocks

/// Queries of one sequence that pass over the keys of one head together.
struct PrefillItem {
  var sequence: Int
  var head: Int
  /// Positions of the queries' tokens in their sequence.
  var positions: Range<Int>
  /// The first one's place among all queries.
  var firstQuery: Int
}

private struct PrefillBuffers: @unchecked Sendable {  // because: each item writes to its own outputs
  let sequences: [PagedRows]
  let queries: UnsafePointer<Float>
  let outputs: UnsafeMutablePointer<Float>
}

extension PagedAttention {
  func prefill(
    _ sequences: [PagedRows], _ queryTokenCounts: [Int], _ queries: UnsafePointer<Float>,
    _ outputs: UnsafeMutablePointer<Float>
  ) {
    var items: [PrefillItem] = []
    var firstQuery = 0
    let part = max(1, Self.queryRowCount / shape.groupCount)
    for (index, count) in queryTokenCounts.enumerated() {
      let end = sequences[index].tokenCount
      for head in 0..<shape.keyValueHeadCount {
        for start in stride(from: end - count, to: end, by: part) {
          items.append(
            PrefillItem(
              sequence: index, head: head, positions: start..<min(start + part, end),
              firstQuery: firstQuery + start - (end - count)))
        }
      }
      firstQuery += count
    }
    let buffers = PrefillBuffers(sequences: sequences, queries: queries, outputs: outputs)
    let (shape, level, kernelScale) = (shape, level, kernelScale)
    let list = items
    team.run(itemCount: list.count) { item in
      Self.sum(list[item], buffers, shape, level, kernelScale)
    }
  }

  private static func sum(
    _ item: PrefillItem, _ buffers: PrefillBuffers, _ shape: AttentionShape, _ level: Int32, _ kernelScale: Float
  ) {
    let rowCount = item.positions.count * shape.groupCount
    let padded = kv_attention_padded_count(rowCount)
    let (headSize, groupCount) = (shape.headSize, shape.groupCount)
    let floatCount = 2 * padded * headSize + 2 * padded + kv_attention_scratch_count(rowCount, headSize) + 64
    withUnsafeTemporaryAllocation(byteCount: 4 * floatCount, alignment: 64) { bytes in
      let base = bytes.baseAddress!.assumingMemoryBound(to: Float.self)
      let (rows, sums) = (base, base + padded * headSize)
      let scratch = sums + padded * headSize
      let maxima = scratch + (kv_attention_scratch_count(rowCount, headSize) + 15) / 16 * 16
      let totals = maxima + padded
      for row in 0..<rowCount {
        let (token, query) = row.quotientAndRemainder(dividingBy: groupCount)
        let source =
          buffers.queries + (item.firstQuery + token) * shape.queryCount + (item.head * groupCount + query) * headSize
        for index in 0..<headSize { rows[row * headSize + index] = source[index] * kernelScale }
      }
      (rows + rowCount * headSize).update(repeating: 0, count: (padded - rowCount) * headSize)
      sums.update(repeating: 0, count: padded * headSize)
      maxima.update(repeating: -.infinity, count: padded)
      totals.update(repeating: 0, count: padded)
      pass(item, buffers.sequences[item.sequence], shape, level, rows, maxima, totals, sums, scratch)
      for row in 0..<rowCount {
        let (token, query) = row.quotientAndRemainder(dividingBy: groupCount)
        let output =
          buffers.outputs + (item.firstQuery + token) * shape.queryCount + (item.head * groupCount + query) * headSize
        for index in 0..<headSize { output[index] = sums[row * headSize + index] / totals[row] }
      }
    }
  }

  /// Goes over all keys and values that any of the item's queries sees.
  private static func pass(
    _ item: PrefillItem, _ rows: PagedRows, _ shape: AttentionShape, _ level: Int32, _ queries: UnsafePointer<Float>,
    _ maxima: UnsafeMutablePointer<Float>, _ totals: UnsafeMutablePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let rowCount = item.positions.count * shape.groupCount
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * rowCount) { bounds in
      for row in 0..<rowCount {
        let position = item.positions.lowerBound + row / shape.groupCount
        bounds[row] = shape.firstVisible(from: position)
        bounds[rowCount + row] = position + 1
      }
      let visible = bounds[0]..<item.positions.upperBound
      let tile = Int(KV_ATTENTION_WIDE_TILE)
      let capacity = segmentTokenCount + tile
      withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: 2 * capacity) { names in
        let keys = names.baseAddress!
        let values = keys + capacity
        // Tiles begin at the same tokens for all queries and whatever the window.
        let first = visible.lowerBound / tile * tile
        for start in stride(from: first, to: visible.upperBound, by: segmentTokenCount) {
          let end = min(start + segmentTokenCount, visible.upperBound)
          let known = min(end + tile, visible.upperBound)
          rows.name(start..<known, rowByteCount: shape.rowByteCount, keys: keys, values: values)
          bounds.withMemoryRebound(to: Int.self) { bounds in
            let part = kv_attention_queries(
              element: shape.kernelElement, head_size: shape.headSize, offset: item.head * shape.headByteCount,
              count: rowCount, rows: queries, firsts: bounds.baseAddress!, ends: bounds.baseAddress! + rowCount,
              maxima: maxima, totals: totals, outputs: sums)
            kv_attention_prefill(level, part, keys, values, start, end - start, known - end, scratch)
          }
        }
      }
    }
  }
}
