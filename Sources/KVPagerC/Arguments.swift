import CKVPager
import KVPager

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Checks on what a caller hands in. Nothing is allocated, and no pointer followed, before its count was looked at.
enum Argument {
  /// More than any engine's context; 1 GiB of token ids.
  static let tokenCountLimit = 1 << 28
  /// More than any machine's memory, 64 TiB.
  static let byteLimit = 1 << 46
  static let nameByteLimit = 4096
  static let documentByteLimit = 16 << 20

  /// A text that must be there.
  static func text(
    _ pointer: UnsafePointer<CChar>?, _ name: StaticString, limit: Int = nameByteLimit
  ) throws(StoreError) -> String {
    guard let text = try optionalText(pointer, name, limit: limit) else { throw .invalidArgument("\(name) is NULL") }
    return text
  }

  /// A text, nil for NULL.
  static func optionalText(
    _ pointer: UnsafePointer<CChar>?, _ name: StaticString, limit: Int = nameByteLimit
  ) throws(StoreError) -> String? {
    guard let pointer else { return nil }
    let length = strnlen(pointer, limit + 1)
    guard length <= limit else { throw .invalidArgument("\(name) is over \(limit) bytes long") }
    let bytes = UnsafeRawBufferPointer(start: pointer, count: length)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalidArgument("\(name) is not UTF-8")
    }
    return text
  }

  /// Where an answer goes.
  static func result<T>(
    _ pointer: UnsafeMutablePointer<T>?, _ name: StaticString
  ) throws(StoreError) -> UnsafeMutablePointer<T> {
    guard let pointer else { throw .invalidArgument("\(name) is NULL; it takes the answer") }
    return pointer
  }

  static func count(_ value: Int64, _ name: StaticString, limit: Int = .max) throws(StoreError) -> Int {
    guard value >= 0, let count = Int(exactly: value), count <= limit else {
      throw .invalidArgument("\(name) is \(value); it must be 0 to \(limit)")
    }
    return count
  }

  static func tokens(_ pointer: UnsafePointer<Int32>?, _ count: Int64) throws(StoreError) -> [Token] {
    let count = try self.count(count, "token_count", limit: tokenCountLimit)
    guard count > 0 else { return [] }
    guard let pointer else { throw .invalidArgument("tokens is NULL and token_count is \(count)") }
    return Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// Tokens, nil for NULL and 0.
  static func optionalTokens(_ pointer: UnsafePointer<Int32>?, _ count: Int64) throws(StoreError) -> [Token]? {
    let tokens = try tokens(pointer, count)
    return pointer == nil ? nil : tokens
  }

  static func bytes(_ pointer: UnsafeRawPointer?, _ size: Int64) throws(StoreError) -> UnsafeRawBufferPointer {
    let size = try count(size, "size", limit: byteLimit)
    guard size > 0 || pointer != nil else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    guard let pointer else { throw .invalidArgument("bytes is NULL and size is \(size)") }
    guard !UInt(bitPattern: pointer).addingReportingOverflow(UInt(size)).overflow else {
      throw .invalidArgument("size is \(size), beyond the address space")
    }
    return UnsafeRawBufferPointer(start: pointer, count: size)
  }

  static func sharing(_ sharing: kvpager_sharing) throws(StoreError) -> BlockSharing {
    switch Int(sharing) {
    case KVPAGER_BY_IDENTITY: return .byIdentity
    case KVPAGER_BY_CONTENT: return .byContent
    default: throw .invalidArgument("sharing is \(sharing); it must be KVPAGER_BY_IDENTITY or KVPAGER_BY_CONTENT")
    }
  }

  /// The first `count` of `all` tokens, -1 for all of them.
  static func cut(_ count: Int64, of all: Int) throws(StoreError) -> Int {
    if count == -1 { return all }
    guard (0...Int64(all)).contains(count) else {
      throw .invalidArgument("token_count is \(count); there are \(all) tokens, and -1 means all of them")
    }
    return Int(count)
  }

  /// The tokens [first, first + count) of `all`.
  static func range(_ first: Int64, _ count: Int64, of all: Int) throws(StoreError) -> Range<Int> {
    guard first >= 0, first <= Int64(all), count >= 0, count <= Int64(all) - first else {
      throw .invalidArgument("tokens from \(first) on, \(count) of them, are wanted; there are \(all)")
    }
    return Int(first)..<Int(first + count)
  }
}

/// A buffer of the caller's that an answer is written into.
struct AnswerBuffer {
  private let base: UnsafeMutableRawPointer?
  private let capacity: Int

  /// `capacity` counts elements of `elementByteCount` bytes.
  init(_ base: UnsafeMutableRawPointer?, capacity: Int64, elementByteCount: Int = 1) throws(StoreError) {
    self.base = base
    let capacity = try Argument.count(capacity, "capacity")
    guard base != nil || capacity == 0 else { throw .invalidArgument("the buffer is NULL and capacity is \(capacity)") }
    // More than memory can have is as much as memory can have.
    let (byteCount, overflow) = capacity.multipliedReportingOverflow(by: elementByteCount)
    self.capacity = overflow ? Int.max : byteCount
  }

  /// Whether the caller asks for the size alone.
  var isAbsent: Bool { base == nil }

  /// Just `byteCount` bytes of it; nil where only the size was asked for.
  func bytes(_ byteCount: Int) throws -> UnsafeMutableRawBufferPointer? {
    guard let base else { return nil }
    guard byteCount <= capacity else {
      throw CallError(
        KVPAGER_BUFFER_TOO_SMALL, "the buffer has room for \(capacity) bytes, and \(byteCount) are needed")
    }
    return UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }
}

/// Where a function hands out a text that becomes the caller's.
struct TextAnswer {
  private let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

  init(
    _ pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ name: StaticString = "json"
  ) throws(StoreError) {
    self.pointer = try Argument.result(pointer, name)
  }

  func give(_ text: String) throws {
    guard let copy = CText.copy(text) else { throw StoreError(.inputOutput, "out of memory for the answer") }
    pointer.pointee = copy
  }

  func give(_ json: JSONValue) throws { try give(json.text(isIndented: false)) }

  func giveNothing() { pointer.pointee = nil }
}
