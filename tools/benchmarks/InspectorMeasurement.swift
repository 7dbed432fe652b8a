#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// `kvpager-bench inspect DIR COMMAND [--rounds N] [SUBCOMMAND...]`: the inspector's commands on a store, each in a
/// process of its own: time (median) and the most that the process had in RAM, the map's pages included, beside reading
/// the file through once.
///
/// A process of its own for this too: what the one that starts a command has in RAM would be counted as the command's.
enum InspectorMeasurement {
  private static let commands = [
    "info", "sessions", "sessions --json", "stats", "tree", "blocks", "verify", "verify --deep",
  ]

  static func run(_ arguments: [String]) {
    var rest = arguments
    var rounds = 3
    if let at = rest.firstIndex(of: "--rounds"), at + 1 < rest.count {
      rounds = max(1, Int(rest[at + 1]) ?? rounds)
      rest.removeSubrange(at...at + 1)
    }
    guard rest.count >= 2 else {
      print("usage: kvpager-bench inspect DIR COMMAND [--rounds N] [SUBCOMMAND...]")
      exit(2)
    }
    let (folder, command) = (rest[0], rest[1])
    let chosen = rest.count > 2 ? Array(rest[2...]) : commands
    print("\(rounds) rounds, medians; the file in the page cache but where it says cold")
    print(Text.padded("COMMAND", 24) + Text.leading("TIME", 10) + Text.leading("PEAK RAM", 12) + "  EXIT")
    let file = folder + "/data.mdb"
    show("cat, cold", (0..<rounds).map { _ in measure("/bin/cat", [file], forgetting: file) })
    show("cat", (0..<rounds).map { _ in measure("/bin/cat", [file]) })
    for line in chosen {
      let words = line.split(separator: " ").map(String.init)
      show(line, (0..<rounds).map { _ in measure(command, words + ["--store", folder]) })
    }
    show(chosen[0] + ", cold", [measure(command, [chosen[0], "--store", folder], forgetting: file)])
  }

  private struct Run {
    var seconds: Double
    var peakByteCount: Int
    var status: Int32
  }

  private static func show(_ name: String, _ runs: [Run]) {
    let seconds = runs.map(\.seconds).sorted()[runs.count / 2]
    let peak = runs.map(\.peakByteCount).max() ?? 0
    print(
      Text.padded(name, 24) + Text.leading(Text.fixed(seconds, 2) + " s", 10)
        + Text.leading(Text.fixed(Double(peak) / 1_048_576, 1) + " MiB", 12)
        + Text.leading("\(runs.map(\.status).max() ?? 0)", 6))
    fflush(nil)
  }

  /// Runs a program with its answers thrown away.
  /// - Parameter file: taken out of the page cache before.
  private static func measure(_ path: String, _ arguments: [String], forgetting file: String? = nil) -> Run {
    if let file { forget(file) }
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    let started = ContinuousClock.now
    guard posix_spawn(&process, path, &actions, nil, words, environ) == 0 else {
      return Run(seconds: 0, peakByteCount: 0, status: -1)
    }
    var status: Int32 = 0
    var usage = rusage()
    wait4(process, &status, 0, &usage)
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    #if canImport(Darwin)
      let unit = 1
    #else
      let unit = 1024
    #endif
    let code = status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    return Run(seconds: seconds, peakByteCount: Int(usage.ru_maxrss) * unit, status: code)
  }

  private static func forget(_ file: String) {
    let descriptor = open(file, O_RDONLY)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    #if !canImport(Darwin)
      posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    #endif
    close(descriptor)
  }
}
