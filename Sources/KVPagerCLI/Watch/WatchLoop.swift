import KVInspection
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// Invariants:
// - However the loop ends, the terminal is as it was before anything else is written or the process ends.

/// The view on a terminal, until somebody ends it.
struct WatchLoop {
  enum Ending: Equatable {
    case done
    /// As the process is to end, now that the terminal is given back.
    case signal(Int32)
  }

  private enum Wake {
    case time
    case quit
    case resized
    case signal(Int32)
  }

  private static let endings = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  let watch: StoreWatch
  let interval: Interval
  /// Frames to draw; nil: until it is ended.
  let frameLimit: Int?
  let style: WatchStyle

  func run() throws -> Ending {
    let signals = try SignalPipe(Self.endings + [SIGWINCH, SIGTSTP, SIGCONT])
    let screen = TerminalScreen()
    try screen.enter()
    defer { screen.leave() }
    var facts = try watch.look()
    var isResized = false
    var frameCount = 0
    var due = Self.milliseconds() + interval.milliseconds
    var readsKeys = true
    while true {
      try screen.draw(lines(facts, screen.size), isResized: isResized)
      isResized = false
      switch wait(until: due, signals, &readsKeys) {
      case .time:
        frameCount += 1
        if let frameLimit, frameCount >= frameLimit { return .done }
        facts = try watch.look()
        due = max(due + interval.milliseconds, Self.milliseconds() + interval.milliseconds / 2)
      case .quit: return .done
      case .resized: isResized = true
      case .signal(SIGTSTP):
        screen.leave()
        signals.stop()
        // What came meanwhile: to stop once more is not meant, to end is.
        if let ending = signals.take().first(where: { Self.endings.contains($0) }) { return .signal(ending) }
        try screen.enter()
      case .signal(let number): return .signal(number)
      }
    }
  }

  private func lines(_ facts: WatchFacts, _ size: WatchFrame.Size) -> [String] {
    WatchFrame(facts: facts, size: size, style: style, footer: "q quits, a look each \(interval)").lines
  }

  private func wait(until due: Int, _ signals: SignalPipe, _ readsKeys: inout Bool) -> Wake {
    while true {
      let remaining = due - Self.milliseconds()
      guard remaining > 0 else { return .time }
      var entries = [pollfd(fd: signals.readEnd, events: Int16(POLLIN), revents: 0)]
      if readsKeys { entries.append(pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)) }
      let count = poll(&entries, nfds_t(entries.count), Int32(clamping: remaining))
      guard count > 0 else { continue }
      if entries[0].revents != 0 {
        let taken = signals.take()
        if let ending = taken.first(where: { Self.endings.contains($0) || $0 == SIGTSTP }) { return .signal(ending) }
        if taken.contains(SIGWINCH) || taken.contains(SIGCONT) { return .resized }
      }
      guard readsKeys, entries[1].revents != 0 else { continue }
      var keys = [UInt8](repeating: 0, count: 64)
      let read = read(STDIN_FILENO, &keys, keys.count)
      // No terminal, and at its end: nobody will press a key.
      if read <= 0 { readsKeys = false }
      for key in keys.prefix(max(0, read)) {
        // Ctrl-L draws anew.
        if key == 0x0C { return .resized }
        if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") { return .quit }
      }
    }
  }

  static func milliseconds() -> Int {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
  }
}
