import CKVPager
import KVInterchange
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What a call of the C interface failed with.
struct CallError: Error {
  let status: kvpager_status
  let message: String

  init(_ status: Int, _ message: String) {
    self.status = kvpager_status(status)
    self.message = message
  }

  init(_ error: any Error) {
    switch error {
    case let error as CallError: self = error
    case let error as StoreError: self.init(error.code.status, error.description)
    case let error as FormatError: self.init(KVPAGER_MALFORMED, error.description)
    default: self.init(KVPAGER_INPUT_OUTPUT, "\(error)")
    }
  }
}

extension StoreError.Code {
  var status: Int {
    switch self {
    case .invalidArgument: KVPAGER_INVALID_ARGUMENT
    case .notFound: KVPAGER_NOT_FOUND
    case .alreadyExists: KVPAGER_ALREADY_EXISTS
    case .conflict: KVPAGER_CONFLICT
    case .budgetTooSmall: KVPAGER_BUDGET_TOO_SMALL
    case .poolExhausted: KVPAGER_POOL_EXHAUSTED
    case .quotaFull: KVPAGER_QUOTA_FULL
    case .diskFull: KVPAGER_DISK_FULL
    case .mapFull: KVPAGER_MAP_FULL
    case .permissionDenied: KVPAGER_PERMISSION_DENIED
    case .readOnly: KVPAGER_READ_ONLY
    case .versionTooNew: KVPAGER_VERSION_TOO_NEW
    case .foreignByteOrder: KVPAGER_FOREIGN_BYTE_ORDER
    case .damaged: KVPAGER_DAMAGED
    case .notAStore: KVPAGER_NOT_A_STORE
    case .busy: KVPAGER_BUSY
    case .blockLost: KVPAGER_BLOCK_LOST
    case .closed: KVPAGER_CLOSED
    case .forked: KVPAGER_FORKED
    case .inputOutput: KVPAGER_INPUT_OUTPUT
    }
  }
}

/// Runs a call: its error becomes the thread's last one, and its status.
func answering(_ body: () throws -> Void) -> kvpager_status {
  do {
    try body()
    return kvpager_status(KVPAGER_OK)
  } catch {
    let error = CallError(error)
    LastError.set(error.message)
    return error.status
  }
}

/// The message of each thread's last failed call, in C's memory, freed when the thread ends.
enum LastError {
  private static let key: pthread_key_t? = {
    var key = pthread_key_t()
    return pthread_key_create(&key, { free($0) }) == 0 ? key : nil
  }()

  static func set(_ message: String) {
    guard let key else { return }
    let old = pthread_getspecific(key)
    guard let text = CText.copy(message) else { return }
    guard pthread_setspecific(key, text) == 0 else { return free(text) }
    free(old)
  }

  static var text: UnsafePointer<CChar> {
    guard let key, let text = pthread_getspecific(key) else { return CText.constant("") }
    return UnsafePointer(text.assumingMemoryBound(to: CChar.self))
  }
}

/// Texts on their way to C.
enum CText {
  /// A copy in malloc's memory; nil where there is none. What follows a NUL inside is lost to C.
  static func copy(_ text: String) -> UnsafeMutablePointer<CChar>? { text.withCString { strdup($0) } }

  /// A literal, which is there for ever and ends in 0.
  static func constant(_ text: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}
