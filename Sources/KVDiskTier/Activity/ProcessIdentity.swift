import KVCodec

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A process among all that ever ran here: its number, and a mark of when it began, since numbers are given again.
package struct ProcessIdentity: Hashable, Sendable {
  package var processID: Int32
  /// Made of the machine's start and the process's; 0 where the system does not tell.
  package var startMark: UInt64

  package init(processID: Int32, startMark: UInt64) {
    self.processID = processID
    self.startMark = startMark
  }

  /// The process that has this number now; nil where there is none, or only what is left of one that ended.
  package init?(runningAs processID: Int32) {
    guard processID > 0 else { return nil }
    switch Self.start(of: processID) {
    case .mark(let mark): self.init(processID: processID, startMark: mark)
    case .ended: return nil
    case .unknown:
      // Nothing can be said but whether the number is in use. EPERM: by somebody else's process.
      guard kill(processID, 0) == 0 || errno == EPERM else { return nil }
      self.init(processID: processID, startMark: 0)
    }
  }

  package static var current: ProcessIdentity {
    ProcessIdentity(runningAs: getpid()) ?? ProcessIdentity(processID: getpid(), startMark: 0)
  }

  package var isAlive: Bool {
    guard let running = ProcessIdentity(runningAs: processID) else { return false }
    return running.startMark == startMark || running.startMark == 0 || startMark == 0
  }

  private enum Start {
    case mark(UInt64)
    case ended
    case unknown
  }

  #if canImport(Darwin)
    private static func start(of processID: Int32) -> Start {
      var info = kinfo_proc()
      var byteCount = MemoryLayout<kinfo_proc>.stride
      var name = [CTL_KERN, KERN_PROC, KERN_PROC_PID, processID]
      guard sysctl(&name, 4, &info, &byteCount, nil, 0) == 0 else { return .unknown }
      guard byteCount > 0, Int32(info.kp_proc.p_stat) != SZOMB else { return .ended }
      let start = info.kp_proc.p_starttime
      return .mark(UInt64(start.tv_sec) &* 1_000_000 &+ UInt64(start.tv_usec))
    }

    /// The program's name.
    package static var currentName: String { getprogname().map { String(cString: $0) } ?? "" }
  #else
    /// Field 22 of /proc/PID/stat counts clock ticks from the machine's start, so that start's own identity is part of
    /// the mark.
    private static func start(of processID: Int32) -> Start {
      guard let line = text(of: "/proc/\(processID)/stat") else {
        // Only where the system says so has it ended: a file may also be one too many to open just now.
        let isGone = errno == ENOENT || errno == ESRCH
        return isGone && text(of: "/proc/self/stat") != nil ? .ended : .unknown
      }
      // The name stands in parentheses and may hold any character.
      guard let end = line.lastIndex(of: UInt8(ascii: ")")) else { return .unknown }
      let fields = line[(end + 1)...].split(separator: UInt8(ascii: " "))
      guard fields.count > 19, let state = fields[0].first else { return .unknown }
      if state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") { return .ended }
      guard let machine = text(of: "/proc/sys/kernel/random/boot_id") else { return .unknown }
      let mark = machine + fields[19]
      return .mark(max(1, mark.withUnsafeBytes { StoredChecksum.xxh3($0) }))
    }

    /// The program's name.
    package static var currentName: String {
      let name = text(of: "/proc/self/comm") ?? []
      return String(decoding: name.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// A small file's first bytes; nil, with `errno`, where it cannot be read.
    private static func text(of path: String) -> [UInt8]? {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      var failure: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 1024) { buffer, count in
        let result = read(descriptor, buffer.baseAddress, buffer.count)
        if result < 0 { failure = errno }
        count = max(0, result)
      }
      close(descriptor)
      errno = failure
      return bytes.isEmpty ? nil : bytes
    }
  #endif
}
