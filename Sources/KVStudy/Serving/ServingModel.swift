import KVBlocks

/// What the server is, beside how it gives memory away. Memory is what is short: compute never is.
///
/// Time goes in steps. In each step every request whose prompt is computed gains one row; requests come and go
/// between steps, as they do where an engine puts its batch together anew for each step.
package struct ServingModel: Hashable, Sendable {
  /// Rows that memory holds.
  package var capacityTokenCount: Int
  /// The longest that a request may be: what contiguous allocation at the maximum length takes.
  package var maximumTokenCount: Int
  package var stepMicroseconds: Int = 25_000
  /// Tokens of a prompt that are computed in a second.
  package var prefillRate: Int = 10_000
  /// How long a request waits before it is refused, in the order of arrival; 0 where there is no queue.
  package var patienceMicroseconds: Int = 60_000_000

  /// Over which steps means are taken; nil: from the first arrival to the last.
  package var measuredSteps: Range<Int>?

  package static let capacityLimit = 1 << 32
  package static let stepLimit = 1 << 27

  package init(capacityTokenCount: Int, maximumTokenCount: Int) {
    self.capacityTokenCount = capacityTokenCount
    self.maximumTokenCount = maximumTokenCount
  }

  /// The step in which something that happens at a moment is seen.
  func step(of microseconds: Int) -> Int { (microseconds + stepMicroseconds - 1) / stepMicroseconds }

  /// Steps from a request's admission to its first row of output: one or more.
  func prefillStepCount(_ tokenCount: Int) -> Int {
    max(1, step(of: tokenCount * 1_000_000 / prefillRate))
  }

  /// A paged server admits while this much stays free, so that those that run can grow: a hundredth.
  func reserveBlockCount(of blockCount: Int) -> Int { max(1, blockCount / 100) }

  /// - Throws: `invalidArgument` where the numbers cannot be meant, whatever the workload.
  package func check() throws(StoreError) {
    guard (1...Self.capacityLimit).contains(capacityTokenCount) else {
      throw .invalidArgument("memory for \(capacityTokenCount) rows; it must hold 1 to \(Self.capacityLimit)")
    }
    guard (1...ServingWorkload.tokenLimit).contains(maximumTokenCount) else {
      throw .invalidArgument("a maximum length of \(maximumTokenCount); give 1 to \(ServingWorkload.tokenLimit) tokens")
    }
    guard (1...60_000_000).contains(stepMicroseconds) else {
      throw .invalidArgument("\(stepMicroseconds) us for a token; give up to a minute")
    }
    guard (1...1_000_000_000).contains(prefillRate) else {
      throw .invalidArgument("\(prefillRate) tokens of prompt a second; give 1 to 1000000000")
    }
    guard (0...1_000_000_000_000).contains(patienceMicroseconds) else {
      throw .invalidArgument("a patience of \(patienceMicroseconds / 1_000_000) s; give up to 1000000 s")
    }
  }

  /// - Throws: `invalidArgument` where the numbers cannot be meant, or their sums would pass an integer's end.
  package func check(_ workload: ServingWorkload) throws(StoreError) {
    guard !workload.requests.isEmpty else { throw .invalidArgument("a workload without requests") }
    try check()
    guard step(of: workload.spanMicroseconds) <= Self.stepLimit else {
      throw .invalidArgument("a workload of more than \(Self.stepLimit) steps; give a longer --token-time")
    }
  }
}
