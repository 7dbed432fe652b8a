/// One request to a server, as a trace or a distribution tells of it.
package struct ServingRequest: Hashable, Sendable {
  /// Since the workload's start.
  package var arrivalMicroseconds: Int
  package var promptTokenCount: Int
  package var outputTokenCount: Int
  /// The prompt's full prefix blocks, in ``ServingWorkload/prefixBlocks``; empty where the trace names none.
  package var prefix: Range<Int>

  package init(arrivalMicroseconds: Int, promptTokenCount: Int, outputTokenCount: Int, prefix: Range<Int> = 0..<0) {
    self.arrivalMicroseconds = arrivalMicroseconds
    self.promptTokenCount = promptTokenCount
    self.outputTokenCount = outputTokenCount
    self.prefix = prefix
  }

  /// Rows that it holds at its end.
  package var tokenCount: Int { promptTokenCount + outputTokenCount }
}

// Invariants: requests are in the order of their arrival; a prefix's blocks are below `uniquePrefixBlockCount` and
// cover no more tokens than the prompt has.

/// Requests in the order of their arrival.
package struct ServingWorkload: Sendable {
  /// Of one request's tokens, prompt and output.
  package static let tokenLimit = 1 << 24
  package static let requestLimit = 5_000_000
  /// Of all references to prefix blocks.
  package static let prefixBlockLimit = 1 << 26

  /// "chat, 18,000 requests at 5 a second, seed 1", or a file's name.
  package var name: String
  package var requests: [ServingRequest]
  /// Names of the requests' prefix blocks, each from 0: equal ones stand for equal tokens after equal tokens.
  package var prefixBlocks: [Int32]
  package var uniquePrefixBlockCount: Int
  /// Tokens that a prefix block stands for.
  package var prefixBlockTokenCount: Int

  package init(
    name: String, requests: [ServingRequest], prefixBlocks: [Int32] = [], uniquePrefixBlockCount: Int = 0,
    prefixBlockTokenCount: Int = 512
  ) {
    self.name = name
    self.requests = requests
    self.prefixBlocks = prefixBlocks
    self.uniquePrefixBlockCount = uniquePrefixBlockCount
    self.prefixBlockTokenCount = prefixBlockTokenCount
  }

  package var namesPrefixes: Bool { uniquePrefixBlockCount > 0 }
  package var promptTokenCount: Int { requests.reduce(0) { $0 + $1.promptTokenCount } }
  package var outputTokenCount: Int { requests.reduce(0) { $0 + $1.outputTokenCount } }
  package var longestTokenCount: Int { requests.reduce(0) { max($0, $1.tokenCount) } }
  /// From the first arrival to the last.
  package var spanMicroseconds: Int {
    guard let first = requests.first, let last = requests.last else { return 0 }
    return last.arrivalMicroseconds - first.arrivalMicroseconds
  }
}
