/// Bad input: a file, a blob or a header that does not mean what its format says, and where it stops doing so.
public struct FormatError: Error, Hashable, Sendable {
  /// What is wrong, for people.
  public let message: String
  /// Bytes from the start of the input to the field at fault; never beyond the input's end.
  public let offset: Int

  public init(_ message: String, offset: Int) {
    self.message = message
    self.offset = offset
  }
}

extension FormatError: CustomStringConvertible {
  public var description: String { "at byte \(offset): \(message)" }
}
