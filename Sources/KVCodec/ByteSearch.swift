import CKernels

/// Finds marks in bytes of any kind, many GB a second.
package enum ByteSearch {
  /// The offset from `start` on at which `mark` (2 bytes or more) lies whole; nil where it does nowhere.
  package static func first(_ mark: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
    var place = start
    while place < bytes.count {
      place = kv_find_pair(base, bytes.count, place, mark[0], mark[1])
      guard place + mark.count <= bytes.count else { return nil }
      if bytes[place..<place + mark.count].elementsEqual(mark) { return place }
      place += 1
    }
    return nil
  }

  /// The offset from `start` on, an even number of bytes from it, at which a 16-bit word of the machine's own order is
  /// one of the two.
  package static func firstWord(
    _ a: UInt16, or b: UInt16, in bytes: UnsafeRawBufferPointer, from start: Int
  ) -> Int? {
    guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), start < bytes.count else { return nil }
    let place = kv_find_word(base, bytes.count, start, a, b)
    return place < bytes.count ? place : nil
  }
}
