import Synchronization

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

// Invariants:
// - A fork()ed child has files of its own: the parent's are not open in it, and the lock of their list may have been
//   held by a thread that the child does not have. So the child leaves that list alone and begins another.
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

  /// One process's list.
  private final class List: Sendable {
    let processID = getpid()
    let identities = Lock<Set<Identity>>([])
  }

  private static let current = Atomic<Unmanaged<List>>(.passRetained(List()))

  private static var ofThisProcess: List {
    let held = current.load(ordering: .acquiring)
    let list = held._withUnsafeGuaranteedRef { $0 }
    guard list.processID != getpid() else { return list }
    let fresh = Unmanaged.passRetained(List())
    let (isExchanged, winner) = current.compareExchange(
      expected: held, desired: fresh, ordering: .acquiringAndReleasing)
    if isExchanged { return fresh._withUnsafeGuaranteedRef { $0 } }
    fresh.release()
    return winner._withUnsafeGuaranteedRef { $0 }
  }

  /// Runs `open` where `path` is not open in this process, and notes the file that it opened.
  static func withReservation<R>(
    path: String, open: () throws(LMDBError) -> (R, descriptor: Int32)
  ) throws(LMDBError) -> (R, Identity) {
    let result: Result<(R, Identity), LMDBError> = ofThisProcess.identities.withLock { identities in
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
    ofThisProcess.identities.withLock { identities in
      close()
      identities.remove(identity)
    }
  }
}
