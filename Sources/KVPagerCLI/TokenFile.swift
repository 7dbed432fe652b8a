import KVInterchange
import KVPager

/// Token ids from a text file: a JSON array, or numbers with blanks, commas or line ends between them.
enum TokenFile {
  private static let byteCountLimit = 256 << 20

  static func read(_ path: String) throws -> [Token] {
    let source = try ByteSource(path: path)
    guard source.byteCount <= byteCountLimit else {
      throw StoreError.invalidArgument(
        "\(path) has \(source.byteCount) bytes; a list of token ids has \(byteCountLimit) at most")
    }
    var bytes = [UInt8](repeating: 0, count: source.byteCount)
    do throws(FormatError) {
      var failure: FormatError?
      bytes.withUnsafeMutableBytes { buffer in
        do throws(FormatError) { try source.read(at: 0, into: buffer) } catch { failure = error }
      }
      if let failure { throw failure }
      return try parse(bytes)
    } catch {
      throw InputFailure(path: path, cause: error)
    }
  }

  /// - Throws: ``FormatError`` with the offset of what is no token id.
  static func parse(_ bytes: [UInt8]) throws(FormatError) -> [Token] {
    var tokens: [Token] = []
    var offset = 0
    func skipSeparators(_ extra: UInt8? = nil) {
      while offset < bytes.count, [0x20, 0x09, 0x0a, 0x0d, extra].contains(bytes[offset]) { offset += 1 }
    }
    skipSeparators()
    let isArray = offset < bytes.count && bytes[offset] == UInt8(ascii: "[")
    if isArray { offset += 1 }
    while true {
      skipSeparators(UInt8(ascii: ","))
      guard offset < bytes.count else {
        if isArray { throw FormatError("the list of token ids has no \"]\"", offset: offset) }
        return tokens
      }
      if isArray, bytes[offset] == UInt8(ascii: "]") { break }
      let start = offset
      while offset < bytes.count, bytes[offset] == UInt8(ascii: "-") || (0x30...0x39).contains(bytes[offset]) {
        offset += 1
      }
      guard let token = Token(String(decoding: bytes[start..<offset], as: UTF8.self)) else {
        throw FormatError("this is no token id (a whole number of 32 bits)", offset: start)
      }
      tokens.append(token)
    }
    offset += 1
    skipSeparators()
    guard offset == bytes.count else { throw FormatError("there is more after the list of token ids", offset: offset) }
    return tokens
  }
}
