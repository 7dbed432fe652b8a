import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// An entry in the lock file's table of readers: a process that reads, or died while it did.
package struct EnvironmentReader: Hashable, Sendable {
  package var processID: Int32
  /// The commit whose pages it pins; nil where it has no transaction.
  package var snapshot: UInt64?
  /// The process lives, LMDB says.
  package var isAlive = true

  package init(processID: Int32, snapshot: UInt64?, isAlive: Bool = true) {
    self.processID = processID
    self.snapshot = snapshot
    self.isAlive = isAlive
  }

  /// One line of `mdb_reader_list`: process, thread (hexadecimal), snapshot or "-". Nil for its title and for the words
  /// that say there is none.
  init?(line: String) {
    let fields = line.split { $0 == " " || $0 == "\n" }
    guard fields.count == 3, let processID = Int32(fields[0]), processID > 0 else { return nil }
    self.init(processID: processID, snapshot: UInt64(fields[2]))
  }

  /// `readers`, those that are not `left` after dead ones were cleared marked as dead.
  static func marked(_ readers: [EnvironmentReader], left: [EnvironmentReader]) -> [EnvironmentReader] {
    let living = Set(left.map(\.processID))
    return readers.map { reader in
      EnvironmentReader(
        processID: reader.processID, snapshot: reader.snapshot, isAlive: living.contains(reader.processID))
    }
  }
}

extension Environment {
  /// Empty where there is no lock file.
  static func readers(of environment: OpaquePointer) -> [EnvironmentReader] {
    var readers: [EnvironmentReader] = []
    withUnsafeMutablePointer(to: &readers) { list in
      _ = mdb_reader_list(
        environment,
        { message, context in
          guard let message, let context else { return 0 }
          if let reader = EnvironmentReader(line: String(cString: message)), reader.processID != getpid() {
            context.assumingMemoryBound(to: [EnvironmentReader].self).pointee.append(reader)
          }
          return 0
        }, UnsafeMutableRawPointer(list))
    }
    return readers
  }
}
