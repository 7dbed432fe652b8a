import CSystemLMDB

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// How much of the map a scan has in resident memory, and when to give it back.
///
/// What one touched page brings along is the system's to choose: its neighbours, 64 KiB, or all of a large piece that
/// the page cache holds, 2 MiB. So it is measured, not reckoned.
package struct MapPressure: Sendable {
  /// Bytes of file pages beyond those at the beginning at which they are given back.
  private static let byteLimit = 24 << 20
  private let baseByteCount: Int

  package init() { baseByteCount = Self.residentFileByteCount ?? 0 }

  /// Called after each few pages touched: costs microseconds, whatever the store's size.
  package func relieve(_ transaction: borrowing ReadTransaction) {
    guard let byteCount = Self.residentFileByteCount else { return transaction.releaseMap() }
    if byteCount > baseByteCount + Self.byteLimit { transaction.releaseMap() }
  }

  /// Bytes of files in this process's resident memory; nil where the system does not say.
  private static var residentFileByteCount: Int? {
    #if os(Linux)
      let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      defer { close(descriptor) }
      return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        guard count > 0 else { return nil }
        // Pages: of the program, resident, resident and of files.
        let fields = String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: " ")
        guard fields.count > 2, let pages = Int(fields[2]) else { return nil }
        return pages * Int(getpagesize())
      }
    #else
      return nil
    #endif
  }
}
