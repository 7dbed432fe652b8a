#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A folder for one test's store, gone with the value.
package final class TemporaryFolder: Sendable {
  package let path: String

  package init() {
    var template = Array("/tmp/kvpager-test-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress, let made = mkdtemp(base) else { preconditionFailure("no temporary folder") }
      return String(cString: made)
    }
  }

  deinit {
    for name in ["store/data.mdb", "store/lock.mdb", "store/activity", "log"] { unlink("\(path)/\(name)") }
    rmdir("\(path)/store")
    rmdir(path)
  }

  /// Where the store goes: a folder that does not exist yet.
  package var store: String { "\(path)/store" }
}
