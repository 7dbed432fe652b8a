import KVPager

/// One line on a terminal that says how far a long command is. In a pipe or a file it stays silent.
// Invariants:
// - nothing is written unless standard error is a terminal
// - at most one line is shown at a time, and `finish()` takes it away
final class ProgressLine {
  private static let refreshInterval = Duration.milliseconds(100)

  private let verb: String
  private var totalByteCount: Int
  private let isShown: Bool
  private let started = ContinuousClock.now
  private var lastShown: ContinuousClock.Instant?
  private var doneByteCount = 0

  init(_ verb: String, totalByteCount: Int, isShown: Bool = ByteStream.error.isTerminal) {
    self.verb = verb
    self.totalByteCount = totalByteCount
    self.isShown = isShown
  }

  deinit { finish() }

  func advance(by byteCount: Int) { advance(to: doneByteCount + byteCount) }

  /// For work that learns on the way how much it is.
  func advance(to byteCount: Int, of totalByteCount: Int) {
    self.totalByteCount = totalByteCount
    advance(to: byteCount)
  }

  func advance(to byteCount: Int) {
    doneByteCount = byteCount
    guard isShown else { return }
    let now = ContinuousClock.now
    if let lastShown, now - lastShown < Self.refreshInterval { return }
    lastShown = now
    // \u{1B}[K clears what a longer line left behind.
    show("\r\(Self.text(verb, done: byteCount, of: totalByteCount, after: now - started))\u{1B}[K")
  }

  /// Clears the line, so that what follows begins at its start.
  func finish() {
    guard isShown, lastShown != nil else { return }
    lastShown = nil
    show("\r\u{1B}[K")
  }

  /// Progress is a courtesy: a terminal that takes no more bytes does not stop the work.
  private func show(_ text: String) { try? ByteStream.error.write(text) }

  static func text(_ verb: String, done: Int, of total: Int, after elapsed: Duration) -> String {
    let percent = total > 0 ? min(100, Int(Double(done) / Double(total) * 100)) : 100
    let rate = Rate.text(byteCount: done, after: elapsed)
    let left = timeLeft(done: done, of: total, after: elapsed).map { ", \($0) left" } ?? ""
    return "\(verb) \(ByteSize(done)) of \(ByteSize(total)), \(percent) %, \(rate)\(left)"
  }

  /// At the rate so far; nil until that means something.
  private static func timeLeft(done: Int, of total: Int, after elapsed: Duration) -> String? {
    guard done > 0, done < total, elapsed >= .seconds(1) else { return nil }
    let seconds = (elapsed / .seconds(1) * (Double(total) / Double(done) - 1)).rounded(.up)
    guard seconds < 360_000 else { return nil }
    let count = max(1, Int(seconds))
    if count < 60 { return "\(count) s" }
    return count < 3600 ? "\(count / 60) min \(count % 60) s" : "\(count / 3600) h \(count / 60 % 60) min"
  }
}

enum Rate {
  /// "812.4 MB/s": decimal, as disks and networks are rated.
  static func text(byteCount: Int, after elapsed: Duration) -> String {
    let seconds = elapsed / .seconds(1)
    guard seconds > 0 else { return "- MB/s" }
    return "\(Decimal.text(Double(byteCount) / seconds / 1_000_000, digits: 1)) MB/s"
  }
}
