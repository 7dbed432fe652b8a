import ArgumentParser
import KVInterchange
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How a command that threw ends: a line on standard error that says the remedy, and the exit status.
struct CommandFailure {
  static let findingStatus: Int32 = 1
  static let usageStatus: Int32 = 2

  let status: Int32
  let message: String
  /// Help that was asked for is an answer, not an error.
  let isAnswer: Bool

  init(_ error: any Error) {
    switch error {
    case let error as StoreError:
      // An argument that cannot be meant is wrong usage, whichever layer found it.
      self.init(status: error.code == .invalidArgument ? Self.usageStatus : Self.findingStatus, Self.line(error))
    case let error as InputFailure:
      self.init(status: Self.findingStatus, Self.line(error))
    case let error as ExitCode:
      self.init(status: error.rawValue, "")
    default:
      let status = KVPagerCommand.exitCode(for: error)
      let text = KVPagerCommand.fullMessage(for: error)
      if status == .success {
        self.init(status: 0, text, isAnswer: true)
      } else if status == .validationFailure {
        self.init(status: Self.usageStatus, Self.named(text))
      } else {
        self.init(status: Self.findingStatus, Self.named(text))
      }
    }
  }

  private init(status: Int32, _ message: String, isAnswer: Bool = false) {
    self.status = status
    self.message = message
    self.isAnswer = isAnswer
  }

  /// An error may tell names that a file holds.
  private static func line(_ error: some CustomStringConvertible) -> String {
    "kvpager: \(Answer.printable(error.description))"
  }

  private static func named(_ text: String) -> String {
    text.hasPrefix("Error: ") ? "kvpager: \(text.dropFirst(7))" : "kvpager: \(text)"
  }

  func exit() -> Never {
    if !message.isEmpty {
      do {
        try (isAnswer ? ByteStream.output : ByteStream.error).writeLine(message)
      } catch {
        // There is nobody left to tell.
        Self.end(isAnswer ? Self.findingStatus : status)
      }
    }
    Self.end(status)
  }

  static func end(_ status: Int32) -> Never {
    #if canImport(Darwin)
      Darwin.exit(status)
    #elseif canImport(Glibc)
      Glibc.exit(status)
    #elseif canImport(Musl)
      Musl.exit(status)
    #endif
  }
}

/// An input file that does not hold what it should, by name and offset.
struct InputFailure: Error, CustomStringConvertible {
  let path: String
  let cause: FormatError

  var description: String { "\(path) \(cause)" }
}
