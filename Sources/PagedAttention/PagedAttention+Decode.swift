import CKernels
import KVBlocks

/// A part of one sequence, or of several that share its rows.
struct DecodeItem {
  var tokens: Range<Int>
  /// Sequence, and the place of its sums among the partial ones.
  var members: [(sequence: Int, partial: Int)]

  /// Members of one item at most: with more, a part that all sequences share would keep one thread busy alone.
  static func memberLimit(_ sequenceCount: Int, threadCount: Int) -> Int {
    max(4, (sequenceCount - 1) / threadCount + 1)
  }
}

/// What each sequence's tokens are cut into. Cuts lie at the same tokens in all sequences.
struct DecodePlan {
  var items: [DecodeItem] = []
  /// The partial sums of each sequence, in the order of their tokens.
  var partials: [Range<Int>] = []

  /// Whether who is through with an item will most likely go on with the tokens after it.
  func readOn(_ item: Int) -> Bool {
    guard item + 1 < items.count else { return false }
    let (this, next) = (items[item], items[item + 1])
    return next.tokens.lowerBound == this.tokens.upperBound
      && next.members[0].sequence == this.members[0].sequence
  }

  init(_ sequences: [PagedRows], _ shape: AttentionShape, threadCount: Int) {
    let memberLimit = DecodeItem.memberLimit(sequences.count, threadCount: threadCount)
    let segment = PagedAttention.segmentTokenCount
    var partialCount = 0
    var segmentCount = 0
    let visible = sequences.map { shape.firstVisible(from: $0.tokenCount - 1)..<$0.tokenCount }
    for tokens in visible {
      let count = (tokens.upperBound - 1) / segment - tokens.lowerBound / segment + 1
      partials.append(partialCount..<partialCount + count)
      partialCount += count
      segmentCount = max(segmentCount, (tokens.upperBound - 1) / segment + 1)
    }
    for index in 0..<segmentCount {
      // Candidates for sharing, by where their first keys lie.
      var byAddress: [UnsafeRawPointer: [Int]] = [:]
      for (sequence, tokens) in visible.enumerated() {
        let part = tokens.clamped(to: index * segment..<(index + 1) * segment)
        guard !part.isEmpty else { continue }
        let partial = partials[sequence].lowerBound + index - tokens.lowerBound / segment
        let address = sequences[sequence].frames[part.lowerBound / sequences[sequence].blockTokenCount]
        let shared = byAddress[address]?.first {
          items[$0].tokens == part && items[$0].members.count < memberLimit
            && sequences[items[$0].members[0].sequence].shares(part, with: sequences[sequence])
        }
        if let shared {
          items[shared].members.append((sequence, partial))
        } else {
          byAddress[address, default: []].append(items.count)
          items.append(DecodeItem(tokens: part, members: [(sequence, partial)]))
        }
      }
    }
  }
}

/// One query's sums over a part of its tokens: maxima, totals, outputs.
struct PartialSums: @unchecked Sendable {  // because: one member of the team at a time writes to them
  let base: UnsafeMutablePointer<Float>
  let shape: AttentionShape

  // Four maxima, all the same, and four totals, to be added up, for each head: whole cache lines.
  private static func laneCount(_ shape: AttentionShape) -> Int {
    4 * kv_attention_padded_head_count(shape.kernelShape)
  }
  static func floatCount(_ shape: AttentionShape) -> Int { 2 * laneCount(shape) + shape.queryCount }

  var maxima: UnsafeMutablePointer<Float> { base }
  var totals: UnsafeMutablePointer<Float> { base + Self.laneCount(shape) }
  var outputs: UnsafeMutablePointer<Float> { base + 2 * Self.laneCount(shape) }

  func begin() {
    maxima.update(repeating: -.infinity, count: Self.laneCount(shape))
    totals.update(repeating: 0, count: Self.laneCount(shape))
    outputs.update(repeating: 0, count: shape.queryCount)
  }

  func maximum(_ query: Int) -> Float { maxima[4 * query] }

  func total(_ query: Int) -> Float {
    let lanes = totals + 4 * query
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
  }
}

/// Memory on its way to the team's members.
struct DecodeBuffers: @unchecked Sendable {  // because: each item writes to its own part
  let sequences: [PagedRows]
  let queries: UnsafeMutablePointer<Float>
  let partials: UnsafeMutablePointer<Float>
  let outputs: UnsafeMutablePointer<Float>
}

extension PagedAttention {
  func decode(
    _ sequences: [PagedRows], _ queries: UnsafePointer<Float>, _ outputs: UnsafeMutablePointer<Float>
  ) {
    let plan = DecodePlan(sequences, shape, threadCount: threadCount)
    let count = sequences.count * shape.queryCount
    let scaled = memory.queries.room(count, of: Float.self)
    for index in 0..<count { scaled[index] = queries[index] * kernelScale }
    let floatCount = PartialSums.floatCount(shape)
    let partialCount = plan.partials.last!.upperBound
    let buffers = DecodeBuffers(
      sequences: sequences, queries: scaled,
      partials: memory.partials.room(partialCount * floatCount, of: Float.self), outputs: outputs)
    let (shape, level) = (shape, level)
    team.run(itemCount: plan.items.count) { item in
      Self.sum(plan.items[item], readOn: plan.readOn(item), buffers, shape, level)
    }
    // A head's sums are put together by whoever is free, where there are enough for that to be worth it.
    let headCount = shape.keyValueHeadCount
    let join: @Sendable (Int) -> Void = { item in
      let (sequence, head) = item.quotientAndRemainder(dividingBy: headCount)
      Self.join(plan.partials[sequence], of: sequence, head: head, buffers, shape)
    }
    let itemCount = sequences.count * headCount
    if partialCount * shape.queryCount < Self.sharedJoinCount {
      for item in 0..<itemCount { join(item) }
    } else {
      team.run(itemCount: itemCount, join)
    }
  }

  private static func sum(
    _ item: DecodeItem, readOn: Bool, _ buffers: DecodeBuffers, _ shape: AttentionShape, _ level: Int32
  ) {
    let floatCount = PartialSums.floatCount(shape)
    func sums(_ index: Int) -> PartialSums {
      PartialSums(base: buffers.partials + index * floatCount, shape: shape)
    }
    for member in item.members { sums(member.partial).begin() }
    let rows = buffers.sequences[item.members[0].sequence]
    let ahead = Int(KV_ATTENTION_AHEAD)
    let scratchCount = kv_attention_decode_scratch_count(shape.kernelShape)
    withUnsafeTemporaryAllocation(byteCount: 4 * scratchCount, alignment: 64) { bytes in
      let scratch = bytes.baseAddress!.assumingMemoryBound(to: Float.self)
      withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: 2 * (stepTokenCount + ahead)) { names in
        let keys = names.baseAddress!
        let values = keys + stepTokenCount + ahead
        for start in stride(from: item.tokens.lowerBound, to: item.tokens.upperBound, by: stepTokenCount) {
          let end = min(start + stepTokenCount, item.tokens.upperBound)
          let known = min(end + ahead, readOn ? rows.tokenCount : item.tokens.upperBound)
          rows.name(start..<known, rowByteCount: shape.rowByteCount, keys: keys, values: values)
          for member in item.members {
            let sums = sums(member.partial)
            kv_attention_decode(
              level, shape.kernelShape, buffers.queries + member.sequence * shape.queryCount, keys, values,
              end - start, known - end, sums.maxima, sums.totals, sums.outputs, scratch)
          }
        }
      }
    }
  }

  /// Puts the partial sums of one head's queries together, in the order of their tokens.
  private static func join(
    _ partials: Range<Int>, of sequence: Int, head: Int, _ buffers: DecodeBuffers, _ shape: AttentionShape
  ) {
    let floatCount = PartialSums.floatCount(shape)
    for query in head * shape.groupCount..<(head + 1) * shape.groupCount {
      let output = buffers.outputs + sequence * shape.queryCount + query * shape.headSize
      let parts = partials.lazy.map { PartialSums(base: buffers.partials + $0 * floatCount, shape: shape) }
      let maximum = parts.map { $0.maximum(query) }.reduce(-.infinity, Float.maximum)
      var total: Float = 0
      output.update(repeating: 0, count: shape.headSize)
      for part in parts {
        let factor = kv_exp2(part.maximum(query) - maximum)
        total += part.total(query) * factor
        let source = part.outputs + query * shape.headSize
        for index in 0..<shape.headSize { output[index] += source[index] * factor }
      }
      for index in 0..<shape.headSize { output[index] /= total }
    }
  }
}
