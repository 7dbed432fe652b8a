import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A terminal of a test's own: what a program writes to it is read here, and put on a screen.
final class PseudoTerminal {
  let master: Int32
  let slave: FileHandle
  private(set) var output: [UInt8] = []
  private(set) var screen: [Int: String] = [:]

  init?(columns: Int, rows: Int) {
    #if canImport(Darwin)
      master = posix_openpt(O_RDWR | O_NOCTTY)
      guard master >= 0, grantpt(master) == 0, unlockpt(master) == 0, let name = ptsname(master) else { return nil }
      let path = String(cString: name)
    #else
      master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
      var (lock, number): (Int32, UInt32) = (0, 0)
      // TIOCSPTLCK and TIOCGPTN, macros that Swift does not see.
      guard master >= 0, ioctl(master, 0x4004_5431, &lock) == 0, ioctl(master, 0x8004_5430, &number) == 0
      else { return nil }
      let path = "/dev/pts/\(number)"
    #endif
    let descriptor = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    slave = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    resize(columns: columns, rows: rows)
  }

  deinit { close(master) }

  func resize(columns: Int, rows: Int) {
    var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
  }

  func press(_ keys: String) { _ = Array(keys.utf8).withUnsafeBytes { write(master, $0.baseAddress, $0.count) } }

  /// How it treats keys now.
  var localModes: tcflag_t {
    var attributes = termios()
    tcgetattr(slave.fileDescriptor, &attributes)
    return attributes.c_lflag
  }

  var text: String { String(decoding: output, as: UTF8.self) }

  /// Reads what was written until `isEnough`; false where that does not come.
  func read(until isEnough: () -> Bool) -> Bool {
    for _ in 0..<3000 {
      take()
      if isEnough() { return true }
      usleep(10_000)
    }
    return false
  }

  func take() {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while case let count = Foundation.read(master, &bytes, bytes.count), count > 0 { output += bytes[..<count] }
    draw()
  }

  /// The lines that a terminal would show. Knows what the view uses: places, clearing, and marks to pass over.
  private func draw() {
    screen = [:]
    var row = 1
    for part in text.split(separator: "\u{1B}[") {
      guard let end = part.firstIndex(where: { $0.isLetter }) else { continue }
      let (code, rest) = (part[..<end], part[part.index(after: end)...])
      switch part[end] {
      case "H":
        row = Int(code.split(separator: ";").first ?? "1") ?? 1
        screen[row] = ""
      case "J": screen = [:]
      default: break
      }
      screen[row, default: ""] += rest
    }
  }
}
