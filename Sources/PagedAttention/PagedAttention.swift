// Invariants:
// - What a query's output is depends on its sequence alone: neither on the number of threads, nor on where blocks lie,
//   nor on which other sequences are in the batch. Sums are taken over the same parts in the same order always.
// - `memory` is used by one call at a time: calls take turns.
import CKernels
import KVBlocks

/// Scaled dot-product attention through block tables: queries over keys and values that lie in blocks anywhere in
/// memory, read where they lie. Softmax is taken online, block by block, so that nothing is gathered and no scores of a
/// whole sequence are kept.
///
/// One object serves any number of layers of the same shape; calls from several threads take turns. The rows are read
/// only, and only while a call runs. After a call its threads look out for the next for 50 microseconds, then sleep.
public final class PagedAttention: Sendable {
  /// Tokens whose sums are kept apart until all are known: the parts that threads share out.
  static let segmentTokenCount = 512
  /// Tokens that one call of the kernel goes through, so that their rows are still in the cache for the next sequence
  /// that shares them.
  static let stepTokenCount = 128
  /// Floats of partial sums from which on threads share putting them together.
  static let sharedJoinCount = 1 << 16
  /// Rows of queries that pass over a tile of keys together.
  static let queryRowCount = 192

  public let shape: AttentionShape
  /// Threads that work on a call, its caller included.
  public let threadCount: Int
  let level: Int32
  let team: WorkTeam
  let turn = Lock<Void>(())
  let memory = Memory()

  /// What calls need beside rows, queries and outputs.
  final class Memory: Sendable {
    nonisolated(unsafe) var queries = Workspace()  // because: used under `turn` only
    nonisolated(unsafe) var partials = Workspace()  // because: used under `turn` only
  }

  /// - Parameters:
  ///   - shape: of the attention that the calls compute.
  ///   - threadCount: threads that work on a call, its caller included.
  /// - Throws: `inputOutput` where the system gives no threads, `invalidArgument` for more than 1,024.
  public convenience init(_ shape: AttentionShape, threadCount: Int = 1) throws(StoreError) {
    try self.init(shape, threadCount: threadCount, level: kv_best_level())
  }

  /// - Parameter level: one of the kernels' that this processor has.
  init(_ shape: AttentionShape, threadCount: Int, level: Int32) throws(StoreError) {
    guard (1...1024).contains(threadCount) else {
      throw .invalidArgument("attention on \(threadCount) threads; it takes 1 to 1024")
    }
    self.shape = shape
    self.threadCount = threadCount
    self.level = level
    team = try WorkTeam(memberCount: threadCount)
  }

  /// The newest token of each sequence looks at all tokens of it that it may see.
  ///
  /// Sequences that share blocks (the same memory for the same tokens) share reading them too.
  /// - Parameters:
  ///   - sequences: of any lengths.
  ///   - queries: `queryHeadCount` heads of `headSize` floats for each sequence, in order.
  ///   - outputs: the same shape.
  public func decode(
    _ sequences: [PagedRows], queries: Span<Float>, outputs: inout MutableSpan<Float>
  ) {
    precondition(queries.count == sequences.count * shape.queryCount, "a query of all heads for each sequence")
    precondition(outputs.count == queries.count, "outputs are shaped as queries")
    guard !sequences.isEmpty else { return }
    queries.withUnsafeBufferPointer { queries in
      outputs.withUnsafeMutableBufferPointer { outputs in
        turn.withLock { _ in decode(sequences, queries.baseAddress!, outputs.baseAddress!) }
      }
    }
  }

  /// The newest `queryTokenCounts[i]` tokens of sequence i each look at all tokens up to themselves that they may see
  /// (causal attention); the rows of all of them are in the blocks already.
  /// - Parameters:
  ///   - sequences: of any lengths.
  ///   - queryTokenCounts: how many of its newest tokens each sequence asks for.
  ///   - queries: for each sequence, token by token, `queryHeadCount` heads of `headSize` floats.
  ///   - outputs: the same shape.
  public func prefill(
    _ sequences: [PagedRows], queryTokenCounts: [Int], queries: Span<Float>, outputs: inout MutableSpan<Float>
  ) {
    precondition(queryTokenCounts.count == sequences.count, "a number of queries for each sequence")
    for (sequence, count) in zip(sequences, queryTokenCounts) {
      precondition(count >= 0 && count <= sequence.tokenCount, "a query is one of its sequence's tokens")
    }
    precondition(
      queries.count == queryTokenCounts.reduce(0, +) * shape.queryCount, "a query of all heads for each token")
    precondition(outputs.count == queries.count, "outputs are shaped as queries")
    guard queries.count > 0 else { return }
    queries.withUnsafeBufferPointer { queries in
      outputs.withUnsafeMutableBufferPointer { outputs in
        turn.withLock { _ in
          prefill(sequences, queryTokenCounts, queries.baseAddress!, outputs.baseAddress!)
        }
      }
    }
  }

  /// Queries times the scale and log2(e): the kernels' softmax works in powers of two.
  var kernelScale: Float { shape.scale * 1.442695041 }
}
