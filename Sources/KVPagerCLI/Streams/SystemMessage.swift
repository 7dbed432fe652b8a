import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension StoreError {
  /// What the operating system refused, with its own words as the cause.
  static func system(_ what: String, number: Int32 = errno) -> StoreError {
    let code: StoreError.Code =
      switch number {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, EPERM, EROFS: .permissionDenied
      case ENOSPC, EDQUOT: .diskFull
      default: .inputOutput
      }
    return StoreError(code, what, cause: strerror(number).map { String(cString: $0) })
  }
}
