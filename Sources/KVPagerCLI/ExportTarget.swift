import KVInterchange
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Where an export goes: a file that takes its name only when whole, or a stream.
enum ExportTarget {
  case file(ExportFile)
  case stream(ByteStream)

  static let standardOutputName = "-"

  /// Looks at `path` before anything is read: a file there is replaced only with `replaces`; pipes and devices are
  /// written to.
  init(path: String, replaces: Bool) throws(StoreError) {
    if path == Self.standardOutputName {
      guard !ByteStream.output.isTerminal else {
        throw StoreError.invalidArgument("a terminal shows no binary file; give a file's name, or a pipe")
      }
      self = .stream(.output)
      return
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      self = .file(try ExportFile(path: path))
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG:
      guard replaces else {
        throw StoreError(.alreadyExists, "\(path) exists; add --force to replace it, or choose another name")
      }
      self = .file(try ExportFile(path: Self.resolved(path)))
    case S_IFDIR: throw StoreError.invalidArgument("\(path) is a folder; give a file's name in it")
    default:
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw StoreError.system("cannot open \(path)") }
      self = .stream(ByteStream(descriptor: descriptor, name: path))
    }
  }

  /// What a link points to, so that the link stays one.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
    switch self {
    case .file(let file): try file.write(bytes)
    case .stream(let stream): try stream.write(bytes)
    }
  }

  /// The file, whole and synced, takes its name.
  func finish() throws(StoreError) {
    if case .file(let file) = self { try file.finish() }
  }
}
