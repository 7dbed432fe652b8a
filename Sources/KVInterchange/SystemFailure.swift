import KVBlocks

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// The operating system's error numbers as operating errors.
enum SystemFailure {
  static func text(_ number: Int32) -> String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text)
  }

  static func error(_ what: String, number: Int32) -> StoreError {
    let code: StoreError.Code
    let remedy: String
    switch number {
    case ENOENT, ENOTDIR: (code, remedy) = (.notFound, "check the path")
    case EACCES, EPERM, EROFS: (code, remedy) = (.permissionDenied, "check the permissions")
    case ENOSPC, EDQUOT: (code, remedy) = (.diskFull, "free some space and try again")
    case EEXIST: (code, remedy) = (.alreadyExists, "remove the file or choose another name")
    default: (code, remedy) = (.inputOutput, "check the disk")
    }
    return StoreError(code, "\(what); \(remedy)", cause: text(number))
  }
}
