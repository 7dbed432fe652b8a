import CKVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// The library as a whole: versions, statuses, texts, malloc.

@c @implementation
public func kvpager_abi_version() -> Int32 { KVPAGER_ABI_VERSION }

@c @implementation
public func kvpager_version() -> UnsafePointer<CChar>! { CText.constant("0.1.0") }

@c @implementation
public func kvpager_status_name(_ status: kvpager_status) -> UnsafePointer<CChar>! {
  CText.constant(statusName(Int(status)))
}

@c @implementation
public func kvpager_last_error() -> UnsafePointer<CChar>! { LastError.text }

@c @implementation
public func kvpager_free(_ text: UnsafeMutablePointer<CChar>!) { free(text) }

/// As the command's own `ProcessSetup`, which says why.
@c @implementation
public func kvpager_tune_malloc() {
  #if canImport(Glibc)
    // Swift's Glibc module leaves malloc.h out, and other C libraries have no such function.
    typealias Mallopt = @convention(c) (_ parameter: Int32, _ value: Int32) -> Int32
    guard let symbol = dlsym(nil, "mallopt") else { return }
    let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
    let trimThreshold: Int32 = -1
    let mmapThreshold: Int32 = -3
    // Older versions of glibc take no more than 32 MiB.
    if mallopt(mmapThreshold, 1 << 30) == 0 { _ = mallopt(mmapThreshold, 32 << 20) }
    _ = mallopt(trimThreshold, 1 << 30)
  #endif
}

private func statusName(_ status: Int) -> StaticString {
  switch status {
  case KVPAGER_OK: "ok"
  case KVPAGER_INVALID_ARGUMENT: "invalidArgument"
  case KVPAGER_NOT_FOUND: "notFound"
  case KVPAGER_ALREADY_EXISTS: "alreadyExists"
  case KVPAGER_CONFLICT: "conflict"
  case KVPAGER_BUDGET_TOO_SMALL: "budgetTooSmall"
  case KVPAGER_POOL_EXHAUSTED: "poolExhausted"
  case KVPAGER_QUOTA_FULL: "quotaFull"
  case KVPAGER_DISK_FULL: "diskFull"
  case KVPAGER_MAP_FULL: "mapFull"
  case KVPAGER_PERMISSION_DENIED: "permissionDenied"
  case KVPAGER_READ_ONLY: "readOnly"
  case KVPAGER_VERSION_TOO_NEW: "versionTooNew"
  case KVPAGER_FOREIGN_BYTE_ORDER: "foreignByteOrder"
  case KVPAGER_DAMAGED: "damaged"
  case KVPAGER_NOT_A_STORE: "notAStore"
  case KVPAGER_BUSY: "busy"
  case KVPAGER_BLOCK_LOST: "blockLost"
  case KVPAGER_CLOSED: "closed"
  case KVPAGER_FORKED: "forked"
  case KVPAGER_INPUT_OUTPUT: "inputOutput"
  case KVPAGER_MALFORMED: "malformed"
  case KVPAGER_INVALID_HANDLE: "invalidHandle"
  case KVPAGER_BUFFER_TOO_SMALL: "bufferTooSmall"
  default: "unknown"
  }
}
