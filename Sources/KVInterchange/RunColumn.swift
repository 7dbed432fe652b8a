/// A column of integers kept as arithmetic runs, so that what engines count up (positions, sequence ids) takes a few
/// bytes.
///
/// Beyond its end a column goes on as its last run does: appended tokens continue the positions.
struct RunColumn: Hashable, Sendable {
  struct Run: Hashable, Sendable {
    var count: Int
    var start: Int64
    var step: Int64
  }

  static let valueLimit: Int64 = 1 << 34

  private(set) var runs: [Run]
  private(set) var count: Int

  init() {
    runs = []
    count = 0
  }

  /// An empty column that goes on from `start` in steps of `step`.
  init(continuingFrom start: Int64, step: Int64) {
    runs = [Run(count: 0, start: start, step: step)]
    count = 0
  }

  init(runs: [Run], count: Int) {
    self.runs = runs
    self.count = count
  }

  init(_ values: some Sequence<Int64>) {
    self.init()
    for value in values { append(value) }
  }

  mutating func append(_ value: Int64) {
    defer { count += 1 }
    guard var last = runs.last else {
      runs.append(Run(count: 1, start: value, step: 0))
      return
    }
    if last.count == 1 { last.step = value - last.start }
    if value == last.start + last.step * Int64(last.count) {
      last.count += 1
      runs[runs.count - 1] = last
    } else {
      runs.append(Run(count: 1, start: value, step: 0))
    }
  }

  /// Calls `body` with the first `limit` values, the continuation included.
  func forEach<Failure: Error>(first limit: Int, _ body: (Int64) throws(Failure) -> Void) throws(Failure) {
    var left = limit
    for (index, run) in runs.enumerated() {
      let taken = index == runs.count - 1 ? left : min(left, run.count)
      for position in 0..<taken { try body(run.start &+ run.step &* Int64(position)) }
      left -= taken
      if left == 0 { return }
    }
  }

  /// The values one by one, the continuation included.
  func cursor() -> Cursor { Cursor(runs: runs) }

  struct Cursor {
    private let runs: [Run]
    private var index = 0
    private var position = 0

    init(runs: [Run]) { self.runs = runs }

    /// The next value; 0 for ever in a column without runs.
    mutating func next() -> Int64 {
      while index < runs.count - 1, position == runs[index].count {
        index += 1
        position = 0
      }
      guard index < runs.count else { return 0 }
      defer { position += 1 }
      return runs[index].start &+ runs[index].step &* Int64(position)
    }
  }

  /// Whether the values are 0, 1, 2, ...
  var countsUpFromZero: Bool {
    count == 0 || (runs.count == 1 && runs[0].start == 0 && (runs[0].step == 1 || count == 1))
  }

  /// Whether each value is greater than the one before.
  var increases: Bool {
    var last = Int64.min
    for run in runs where run.count > 0 {
      guard run.start > last, run.count == 1 || run.step > 0 else { return false }
      last = run.start + run.step * Int64(run.count - 1)
    }
    return true
  }
}
