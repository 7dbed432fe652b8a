#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - `identities` holds the data file of each open environment of this process, once.
// - An environment is opened only while the lock is held, so that two threads cannot both find the file unopened.

/// The files that this process has open. LMDB forbids two environments on one file in a process and does not notice
/// them: closing either one drops the other's locks.
enum OpenFiles {
  struct Identity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64

    /// Nil where the file does not exist or cannot be asked.
    init?(path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      self.init(status)
    }

    init?(descriptor: Int32) {
      var status = stat()
      guard fstat(descriptor, &status) == 0 else { return nil }
      self.init(status)
    }

    private init(_ status: stat) {
      device = UInt64(truncatingIfNeeded: status.st_dev)
      inode = UInt64(truncatingIfNeeded: status.st_ino)
    }
  }

  private static let identities = Lock<Set<Identity>>([])

  /// Runs `open` where `path` is not open in this process, and notes the file that it opened.
  static func withReservation<R>(
    path: String, open: () throws(LMDBError) -> (R, descriptor: Int32)
  ) throws(LMDBError) -> (R, Identity) {
    let result: Result<(R, Identity), LMDBError> = identities.withLock { identities in
      if let identity = Identity(path: path), identities.contains(identity) { return .failure(.alreadyOpen) }
      do throws(LMDBError) {
        let (value, descriptor) = try open()
        guard let identity = Identity(descriptor: descriptor) else { return .failure(LMDBError(code: errno)) }
        identities.insert(identity)
        return .success((value, identity))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Runs `close` and forgets the file, in one step.
  static func release(_ identity: Identity, close: () -> Void) {
    identities.withLock { identities in
      close()
      identities.remove(identity)
    }
  }
}
