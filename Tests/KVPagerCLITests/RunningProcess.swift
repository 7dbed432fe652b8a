import Foundation

/// What the system tells of processes.
enum RunningProcess {
  private static func list(_ arguments: [String]) throws -> [Substring] {
    let listing = Process()
    listing.executableURL = URL(fileURLWithPath: "/bin/ps")
    listing.arguments = arguments
    let pipe = Pipe()
    listing.standardOutput = pipe
    try listing.run()
    let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    listing.waitUntilExit()
    return text.split(separator: "\n")
  }

  static func children(of parent: pid_t) throws -> [pid_t] {
    try list(["-A", "-o", "pid=,ppid="]).compactMap { line in
      let words = line.split(separator: " ").compactMap { pid_t($0) }
      return words.count == 2 && words[1] == parent ? words[0] : nil
    }
  }

  /// A signal holds it; others may still come to it.
  static func isStopped(_ process: pid_t) -> Bool {
    (try? list(["-o", "state=", "-p", "\(process)"]).first?.hasPrefix("T")) ?? false
  }

  #if os(Linux)
    /// What it has open, by number.
    static func files(of process: pid_t) -> [String: String] {
      let folder = "/proc/\(process)/fd"
      var files: [String: String] = [:]
      for number in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        files[number] = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)")
      }
      return files
    }
  #endif
}
